#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::Schema as Columns;
use proptest::prelude::*;

use super::*;

fn schema() -> SchemaRef {
    Arc::new(Columns::new(vec![
        Field::new("service", DataType::Utf8, false),
        Field::new("count(*)", DataType::Int64, false),
        Field::new("count_*_", DataType::UInt64, false),
        Field::new("1st", DataType::Float64, false),
        Field::new("ok", DataType::Boolean, false),
        Field::new("time_", DataType::Timestamp(TimeUnit::Nanosecond, None), false),
        Field::new("maybe", DataType::Int64, true),
    ]))
}

fn row_of(name: &str, count: i64, big: u64, float: f64, ok: bool, maybe: Option<i64>) -> String {
    let cells = [
        Cell::Text(name),
        Cell::Integer(count.into()),
        Cell::Integer(big.into()),
        Cell::Float(float),
        Cell::Boolean(ok),
        Cell::Integer(count.into()),
        maybe.map_or(Cell::Null, |value| Cell::Integer(value.into())),
    ];
    let mut text = String::from("{");
    for (position, (field, cell)) in schema().fields().iter().zip(cells).enumerate() {
        json::separate(&mut text, position);
        json::quote(&mut text, field.name());
        text.push(':');
        json::value(&mut text, cell);
    }
    text + "}"
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same_json(
        name in ".*",
        numbers in any::<(i64, u64, f64, bool, Option<i64>)>(),
        other in any::<(i64, u64, f64, bool, Option<i64>)>(),
    ) {
        let of = |(count, big, float, ok, maybe): (i64, u64, f64, bool, Option<i64>)| {
            row_of(&name, count, big, float, ok, maybe)
        };
        let (before, after) = (of(numbers), of(other));
        let rows = Plan::value(&schema(), Mode::Upsert).codec(7).unwrap();
        prop_assert_eq!(rows.decode(&rows.encode(&before).unwrap()).unwrap(), before.clone());
        let envelopes = Plan::value(&schema(), Mode::Changes).codec(8).unwrap();
        let envelope = format!(
            "{{\"before\":{before},\"after\":{after},\"op\":\"u\",\"ts_ms\":5,\
             \"source\":{{\"node\":\"n\",\"view\":\"v\",\"time\":5}}}}"
        );
        let read = envelopes.decode(&envelopes.encode(&envelope).unwrap()).unwrap();
        prop_assert_eq!(read, format!("{{\"before\":{before},\"after\":{after}}}"));
    }

    #[test]
    fn bytes_of_others_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let rows = Plan::value(&schema(), Mode::Upsert).codec(7).unwrap();
        let _ = rows.decode(&bytes);
        let _ = rows.decode(&[&[0, 0, 0, 0, 7], bytes.as_slice()].concat());
        prop_assert!(matches!(rows.decode(&[&[0, 0, 0, 0, 8], bytes.as_slice()].concat()), Err(Mismatch::Schema)));
    }
}

#[test]
fn keys_have_the_columns_that_identify_a_row() {
    let keys = Plan::key(&schema(), &["service".to_owned()]).codec(3).unwrap();
    let bytes = keys.encode("{\"service\":\"shop\"}").unwrap();
    assert_eq!(bytes, b"\0\0\0\0\x03\x08shop");
    assert_eq!(keys.decode(&bytes).unwrap(), "{\"service\":\"shop\"}");
}
