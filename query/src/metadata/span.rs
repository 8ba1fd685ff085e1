//! Spans of an address: the time between two changes of its owners. `since_at(spans, time)` is when the span around a
//! time began, from the look-up of the changes; `span_of(address, time)` stands for the same in a group-by right above
//! scans, where whoever scans knows the changes himself.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType as ArrowType, TimestampNanosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use watershed_model::DataType;

/// Name of [`SpanOf`].
pub(crate) const SPAN_OF: &str = "span_of";

/// From an address's changes, as the look-up makes them; calls of it are made by the rewrite only.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SinceAt {
    signature: Signature,
}

impl SinceAt {
    pub(super) fn new() -> Self {
        SinceAt { signature: text_and_time() }
    }
}

impl ScalarUDFImpl for SinceAt {
    fn name(&self) -> &str {
        "since_at"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(DataType::Time64Ns.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let spans = arrays[0].as_string::<i32>().iter();
        let times = arrays[1].as_primitive::<TimestampNanosecondType>().iter();
        let found = spans.zip(times).map(|(spans, time)| Some(since_at(spans?, time?)));
        let found: TimestampNanosecondArray = found.collect();
        Ok(ColumnarValue::Array(Arc::new(found.with_timezone("+00:00")) as ArrayRef))
    }
}

/// The time itself: finer than spans, so a group-by is right by it, but only its scan makes spans of it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SpanOf {
    signature: Signature,
}

impl SpanOf {
    pub(super) fn new() -> Self {
        SpanOf { signature: text_and_time() }
    }
}

impl ScalarUDFImpl for SpanOf {
    fn name(&self) -> &str {
        SPAN_OF
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(DataType::Time64Ns.arrow())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(args.args[1].clone())
    }
}

fn text_and_time() -> Signature {
    Signature::exact(vec![DataType::String.arrow(), DataType::Time64Ns.arrow()], Volatility::Immutable)
}

/// The latest of the changes up to a time, in nanoseconds; 0 where there is none. A change at 0 has not come yet.
fn since_at(spans: &str, time_ns: i64) -> i64 {
    let changes = spans.split_ascii_whitespace().filter_map(|change| change.parse().ok());
    changes.filter(|change| *change != 0 && *change <= time_ns).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_begins_at_the_last_change_and_the_first_one_at_zero() {
        let spans = "10 20\n25 0";
        let found = [9, 10, 19, 20, 24, 25, i64::MAX].map(|time_ns| since_at(spans, time_ns));
        assert_eq!(found, [0, 10, 10, 20, 20, 25, 25]);
        assert_eq!(since_at("", 5), 0);
        assert_eq!(since_at("no changes", 5), 0);
    }
}
