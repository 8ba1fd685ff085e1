//! `owner_at(owners, time)`: which of an address's owners had it at a time. Owners are lines of `from to id`, as the
//! look-ups of addresses make them; times are nanoseconds, and a `to` of 0 has not come yet.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType as ArrowType, TimestampNanosecondType};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};
use watershed_model::DataType;

/// The function; calls of it are made by the rewrite only.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct OwnerAt {
    signature: Signature,
}

impl OwnerAt {
    pub(super) fn new() -> Self {
        let arguments = vec![DataType::String.arrow(), DataType::Time64Ns.arrow()];
        OwnerAt { signature: Signature::exact(arguments, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for OwnerAt {
    fn name(&self) -> &str {
        "owner_at"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(ArrowType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let owners = arrays[0].as_string::<i32>().iter();
        let times = arrays[1].as_primitive::<TimestampNanosecondType>().iter();
        let found = owners.zip(times).map(|(owners, time)| Some(owner_at(owners?, time?)));
        Ok(ColumnarValue::Array(Arc::new(found.collect::<StringArray>()) as ArrayRef))
    }
}

/// Intervals do not overlap, so there is at most one; empty when there is none.
fn owner_at(owners: &str, time_ns: i64) -> &str {
    let owner = |line| {
        let mut parts = str::splitn(line, 3, ' ');
        let (from, to, id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
        ((from..if to == 0 { i64::MAX } else { to }).contains(&time_ns)).then_some(id)
    };
    owners.lines().find_map(owner).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_its_owners_at_the_time_and_nobodys_in_between() {
        let owners = "10 20 a\n25 0 b";
        let found = [9, 10, 19, 20, 24, 25, i64::MAX - 1].map(|time_ns| owner_at(owners, time_ns));
        assert_eq!(found, ["", "a", "a", "", "", "b", "b"]);
        assert_eq!(owner_at("", 5), "");
        assert_eq!(owner_at("not an owner", 5), "");
    }
}
