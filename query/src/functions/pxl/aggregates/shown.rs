//! What stands before and after an aggregate: the order of samples, and histograms as JSON.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use watershed_model::histogram;

use super::super::json::Json;
use super::super::rows::map1;

/// The quantiles that PxL's sketch shows.
const SHOWN: [(&str, f64); 7] =
    [("p01", 0.01), ("p10", 0.1), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99)];

/// `(text) -> INT64`, larger for smaller hashes.
pub(super) static SAMPLE_ORDER: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let order = |arrays: &[ArrayRef]| map1(arrays, |text: &str| !hash(text));
    on_arrays("px__sample_order", DataType::Utf8, DataType::Int64, order)
});

/// `(histogram of integers) -> JSON`.
pub(super) static INTEGER_QUANTILES: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let shown = |arrays: &[ArrayRef]| shown(arrays, |value| histogram::integer_of(value) as f64);
    on_arrays("px__integer_quantiles", DataType::Binary, DataType::Utf8, shown)
});

/// `(histogram of floats) -> JSON`.
pub(super) static FLOAT_QUANTILES: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let shown = |arrays: &[ArrayRef]| shown(arrays, std::convert::identity);
    on_arrays("px__float_quantiles", DataType::Binary, DataType::Utf8, shown)
});

fn on_arrays(
    name: &str,
    from: DataType,
    to: DataType,
    eval: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> Arc<ScalarUDF> {
    let implementation =
        move |values: &[ColumnarValue]| Ok(ColumnarValue::Array(eval(&ColumnarValue::values_to_arrays(values)?)?));
    Arc::new(create_udf(name, vec![from], to, Volatility::Immutable, Arc::new(implementation)))
}

/// FNV-1a: the same in every process, which a view that is restarted needs.
fn hash(text: &str) -> i64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)) as i64
}

fn shown(arrays: &[ArrayRef], value: fn(f64) -> f64) -> Result<ArrayRef> {
    let texts = arrays[0].as_binary::<i32>().iter().map(|bytes| {
        let counts = histogram::decode(bytes?);
        let quantile = |(name, q): (&str, f64)| {
            let number = serde_json::Number::from_f64(value(histogram::quantile(counts.clone(), q)?))?;
            Some((name.to_owned(), Json::Number(number)))
        };
        Some(Json::Object(SHOWN.into_iter().filter_map(quantile).collect()).to_string())
    });
    Ok(Arc::new(texts.collect::<StringArray>()))
}
