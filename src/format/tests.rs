#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use serde_json::Value;

use super::*;
use crate::rows::{Changes, Column, Event, TableRows, TableSchema, decode};

fn table(name: &str, columns: Vec<(&str, &str, &str, ArrayRef)>) -> TableRows {
    let batch =
        RecordBatch::try_from_iter(columns.iter().map(|(name, _, _, array)| (*name, Arc::clone(array)))).unwrap();
    let column = |(name, data_type, semantic, _): &(&str, &str, &str, ArrayRef)| Column {
        name: (*name).to_owned(),
        data_type: (*data_type).to_owned(),
        semantic: (*semantic).to_owned(),
    };
    let schema = TableSchema { name: name.to_owned(), columns: columns.iter().map(column).collect() };
    TableRows { schema, arrow: batch.schema(), batches: vec![batch] }
}

fn sample() -> TableRows {
    let id = FixedSizeBinaryArray::try_from_iter([7_u128, u128::MAX].iter().map(|id| id.to_be_bytes())).unwrap();
    table(
        "output",
        vec![
            (
                "time_",
                "TIME64NS",
                "ST_TIME_NS",
                Arc::new(TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789, 5]).with_timezone("+00:00")),
            ),
            ("upid", "UINT128", "ST_UPID", Arc::new(id)),
            ("path", "STRING", "ST_NONE", Arc::new(StringArray::from(vec!["/a,\"b\"", "\u{1b}[31m\nx"]))),
            ("latency", "INT64", "ST_DURATION_NS", Arc::new(Int64Array::from(vec![1_234_567, (1 << 53) + 1]))),
            ("share", "FLOAT64", "ST_NONE", Arc::new(Float64Array::from(vec![0.25, f64::NAN]))),
            ("ok", "BOOLEAN", "ST_NONE", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ],
    )
}

fn answer(tables: Vec<TableRows>) -> Answer {
    Answer { time: 42, tables, notes: Vec::new() }
}

fn written(answer: &Answer, format: Format) -> String {
    let mut output = Vec::new();
    write_answer(&mut output, answer, format).unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn jsonl_keeps_the_order_of_columns_and_writes_big_integers_as_strings() {
    let text = written(&answer(vec![sample()]), Format::Jsonl);
    let expected = [
        r#"{"time_":"1700000000123456789","upid":"7","path":"/a,\"b\"","latency":1234567,"share":0.25,"ok":true}"#,
        r#"{"time_":5,"upid":"340282366920938463463374607431768211455","path":"\u001b[31m\nx","latency":"9007199254740993","share":null,"ok":null}"#,
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn jsonl_of_several_tables_names_them() {
    let other = table("output_2", vec![("n", "INT64", "ST_NONE", Arc::new(Int64Array::from(vec![1])))]);
    let text = written(&answer(vec![other.clone(), other]), Format::Jsonl);
    assert_eq!(text, "{\"_table\":\"output_2\",\"n\":1}\n{\"_table\":\"output_2\",\"n\":1}\n");
}

#[test]
fn json_is_one_document_of_columns_and_rows() {
    let rows = table("output", vec![("n", "INT64", "ST_NONE", Arc::new(Int64Array::from(vec![1, 2])))]);
    let document: Value = serde_json::from_str(&written(&answer(vec![rows]), Format::Json)).unwrap();
    let expected = serde_json::json!({"time": 42, "tables": {"output": {"columns": ["n"], "rows": [[1], [2]]}}});
    assert_eq!(document, expected);
}

#[test]
fn json_tells_what_a_reader_should_know() {
    let noted = Answer { notes: vec!["rows are gone".to_owned()], ..answer(Vec::new()) };
    let document: Value = serde_json::from_str(&written(&noted, Format::Json)).unwrap();
    assert_eq!(document, serde_json::json!({"time": 42, "tables": {}, "notes": ["rows are gone"]}));
}

#[test]
fn csv_quotes_what_needs_it() {
    let text = written(&answer(vec![sample()]), Format::Csv);
    assert!(
        text.starts_with(
            "time_,upid,path,latency,share,ok\n1700000000123456789,7,\"/a,\"\"b\"\"\",1234567,0.25,true\n"
        )
    );
}

#[test]
fn tables_show_times_and_durations_for_people_and_no_control_characters() {
    let text = written(&answer(vec![sample()]), Format::Table);
    assert!(text.contains("2023-11-14T22:13:20.123Z"), "{text}");
    assert!(text.contains("1.2ms"), "{text}");
    assert!(text.contains("0:0:7"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn wide_tables_are_cut_to_the_terminal() {
    let text = table::of_answer(&answer(vec![sample()]), Some(70));
    assert!(text.lines().all(|line| line.chars().count() <= 70), "{text}");
    assert!(text.contains('…'));
}

#[test]
fn arrow_comes_back_as_it_was() {
    let mut output = Vec::new();
    write_answer(&mut output, &answer(vec![sample()]), Format::Arrow).unwrap();
    let (_, batches) = decode(&output).unwrap();
    assert_eq!(batches, sample().batches);
}

#[test]
fn subscription_lines_are_as_promised() {
    let rows = table("v", vec![("n", "INT64", "ST_BYTES", Arc::new(Int64Array::from(vec![1, 2])))]);
    let changes = |snapshot| {
        let (table, rows) = ("v".to_owned(), rows.batches[0].clone());
        Event::Changes(Changes { table, time: 7, diffs: vec![1, -3], rows, snapshot })
    };
    let events = [
        Event::Schema(vec![rows.schema.clone()]),
        changes(true),
        Event::Progress(7),
        changes(false),
        Event::Restart("a \"reason\"".to_owned()),
    ];
    let text: String = events.iter().map(json::lines_of_event).collect();
    let expected = [
        r#"{"schema":{"v":[{"name":"n","type":"INT64","semantic":"ST_BYTES"}]}}"#,
        r#"{"snapshot":"v","time":7,"diff":1,"row":{"n":1}}"#,
        r#"{"snapshot":"v","time":7,"diff":-3,"row":{"n":2}}"#,
        r#"{"progress":7}"#,
        r#"{"table":"v","time":7,"diff":1,"row":{"n":1}}"#,
        r#"{"table":"v","time":7,"diff":-3,"row":{"n":2}}"#,
        r#"{"restart":"a \"reason\""}"#,
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}
