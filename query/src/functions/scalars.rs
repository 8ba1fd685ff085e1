//! Small scalar functions: parts of a upid, quantiles of a histogram column, bins of a number or time.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array, StringBuilder,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use watershed_model::{Upid, histogram};

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `upid_to_string(upid)`
    UpidToString,
    /// `upid_to_pid(upid)`
    UpidToPid,
    /// `upid_to_asid(upid)`
    UpidToAsid,
    /// `upid_is_known(upid)`
    UpidIsKnown,
    /// `histogram_quantile(h, q)`
    HistogramQuantile,
    /// `histogram_quantile_float(h, q)`
    HistogramQuantileFloat,
    /// `bin(value, width)`
    Bin,
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scalar {
    kind: Kind,
    signature: Signature,
}

impl Scalar {
    pub(crate) fn new(kind: Kind) -> Self {
        Scalar { kind, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        match self.kind {
            Kind::UpidToString => "upid_to_string",
            Kind::UpidToPid => "upid_to_pid",
            Kind::UpidToAsid => "upid_to_asid",
            Kind::UpidIsKnown => "upid_is_known",
            Kind::HistogramQuantile => "histogram_quantile",
            Kind::HistogramQuantileFloat => "histogram_quantile_float",
            Kind::Bin => "bin",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        let expected = match (self.kind, arguments) {
            (Kind::Bin, [DataType::Timestamp(_, zone), width]) if width.is_integer() => {
                return Ok(vec![DataType::Timestamp(TimeUnit::Nanosecond, zone.clone()), DataType::Int64]);
            }
            (Kind::Bin, [value, width]) if value.is_integer() && width.is_integer() => {
                return Ok(vec![DataType::Int64, DataType::Int64]);
            }
            (
                Kind::HistogramQuantile | Kind::HistogramQuantileFloat,
                [DataType::Binary | DataType::LargeBinary | DataType::BinaryView, q],
            ) if q.is_numeric() => {
                return Ok(vec![DataType::Binary, DataType::Float64]);
            }
            (
                Kind::UpidToString | Kind::UpidToPid | Kind::UpidToAsid | Kind::UpidIsKnown,
                [upid @ DataType::FixedSizeBinary(16)],
            ) => return Ok(vec![upid.clone()]),
            (Kind::Bin, _) => "a time or an integer, and a width (of nanoseconds)",
            (Kind::HistogramQuantile | Kind::HistogramQuantileFloat, _) => {
                "what histogram made, and a quantile from 0 to 1"
            }
            (Kind::UpidToString | Kind::UpidToPid | Kind::UpidToAsid | Kind::UpidIsKnown, _) => "one upid",
        };
        Err(DataFusionError::Plan(format!("{name} takes {expected}")))
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::UpidToString => DataType::Utf8,
            Kind::UpidToPid | Kind::UpidToAsid | Kind::HistogramQuantile => DataType::Int64,
            Kind::HistogramQuantileFloat => DataType::Float64,
            Kind::UpidIsKnown => DataType::Boolean,
            Kind::Bin => arguments[0].clone(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let result: ArrayRef = match self.kind {
            Kind::UpidToString => {
                let mut text = StringBuilder::new();
                upids(&arrays[0]).for_each(|upid| text.append_option(upid.map(|upid| upid.to_string())));
                Arc::new(text.finish())
            }
            Kind::UpidToPid => {
                Arc::new(Int64Array::from_iter(upids(&arrays[0]).map(|upid| upid.map(|upid| i64::from(upid.pid)))))
            }
            Kind::UpidToAsid => {
                Arc::new(Int64Array::from_iter(upids(&arrays[0]).map(|upid| upid.map(|upid| i64::from(upid.asid)))))
            }
            Kind::UpidIsKnown => {
                Arc::new(BooleanArray::from_iter(upids(&arrays[0]).map(|upid| upid.map(Upid::is_some))))
            }
            Kind::HistogramQuantile => {
                let values = histogram_quantiles(&arrays).map(|value| value.map(histogram::integer_of));
                Arc::new(values.collect::<Int64Array>())
            }
            Kind::HistogramQuantileFloat => Arc::new(histogram_quantiles(&arrays).collect::<Float64Array>()),
            Kind::Bin => {
                let widths = arrays[1].as_primitive::<Int64Type>();
                let floor = |value: Option<i64>, width: Option<i64>| Some(floor(value?, width?));
                if let Some(times) = arrays[0].as_primitive_opt::<TimestampNanosecondType>() {
                    let floors = times.iter().zip(widths).map(|(value, width)| floor(value, width));
                    let floors = floors.collect::<TimestampNanosecondArray>();
                    Arc::new(floors.with_data_type(arrays[0].data_type().clone()))
                } else {
                    let values = arrays[0].as_primitive::<Int64Type>();
                    let floors = values.iter().zip(widths).map(|(value, width)| floor(value, width));
                    Arc::new(floors.collect::<Int64Array>())
                }
            }
        };
        Ok(ColumnarValue::Array(result))
    }
}

/// Down to a multiple of the width; a width that is not positive leaves the value as it is.
fn floor(value: i64, width: i64) -> i64 {
    if width <= 0 {
        return value;
    }
    value.saturating_sub(value.rem_euclid(width))
}

fn upids(array: &ArrayRef) -> impl Iterator<Item = Option<Upid>> {
    let ids: &FixedSizeBinaryArray = array.as_fixed_size_binary();
    ids.iter().map(|bytes| bytes.and_then(|bytes| bytes.try_into().ok()).map(Upid::from_bytes))
}

/// The quantile (second array) of each histogram (first array).
fn histogram_quantiles(arrays: &[ArrayRef]) -> impl Iterator<Item = Option<f64>> {
    let quantiles = arrays[1].as_primitive::<Float64Type>();
    let pairs = arrays[0].as_binary::<i32>().iter().zip(quantiles);
    pairs.map(|(bytes, q)| histogram::quantile(histogram::decode(bytes?), q?))
}
