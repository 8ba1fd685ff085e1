#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use opentelemetry_proto::tonic::common::v1::any_value::Value;

use super::*;

/// A batch of one exchange: columns of text and of numbers.
fn exchange(view: &str, texts: &[(&str, &str)], numbers: &[(&str, i64)]) -> Batch {
    let texts = texts.iter().map(|(name, text)| (*name, Arc::new(StringArray::from(vec![*text])) as ArrayRef));
    let numbers = numbers.iter().map(|(name, number)| (*name, Arc::new(Int64Array::from(vec![*number])) as ArrayRef));
    let rows = RecordBatch::try_from_iter(texts.chain(numbers)).unwrap();
    let shape = Shape { view: view.to_owned(), schema: rows.schema(), key: Vec::new(), append: true };
    let changes = vec![Changes { time: 5, rows, diffs: vec![1] }];
    Batch { frontier: 5, snapshot: false, shape: Arc::new(shape), changes }
}

fn span(batch: &Batch) -> Span {
    let messages = messages(batch, &[], "node");
    let [Message::Spans(request, 1)] = messages.as_slice() else { panic!("one message of one span") };
    request.resource_spans[0].scope_spans[0].spans[0].clone()
}

fn told(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    })
}

fn http(status: i64, role: i64) -> Batch {
    let texts = [
        ("req_method", "GET"),
        ("req_path", "/users/7?full=1"),
        (
            "req_headers",
            "{\"Traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\",\"User-Agent\":\"wrk\"}",
        ),
        ("remote_addr", "10.0.0.2"),
        ("local_addr", "10.0.0.1"),
    ];
    let numbers = [
        ("time_", 1_000_000),
        ("latency", 400_000),
        ("trace_role", role),
        ("remote_port", 4000),
        ("local_port", 80),
        ("major_version", 1),
        ("minor_version", 1),
        ("resp_status", status),
    ];
    exchange("http_events", &texts, &numbers)
}

#[test]
fn a_request_to_a_traced_server_is_a_server_span_of_the_trace_that_it_names() {
    let span = span(&http(404, 2));
    assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (600_000, 1_000_000));
    assert_eq!((span.name.as_str(), span.kind), ("GET", SpanKind::Server as i32));
    assert_eq!(span.trace_id, bytes("0af7651916cd43dd8448eb211c80319c").unwrap());
    assert_eq!(span.parent_span_id, bytes("b7ad6b7169203331").unwrap());
    for (name, value) in [
        ("http.request.method", "GET"),
        ("url.path", "/users/7"),
        ("url.query", "full=1"),
        ("url.scheme", "http"),
        ("http.response.status_code", "404"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "wrk"),
        ("server.address", "10.0.0.1"),
        ("server.port", "80"),
        ("client.address", "10.0.0.2"),
        ("network.peer.port", "4000"),
    ] {
        assert_eq!(told(&span, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(span.status, None, "a server is not to blame for what its client did wrong");
}

#[test]
fn an_error_is_one_for_whom_it_is_one() {
    for (status, role, is_error) in [(200, 1, false), (404, 1, true), (404, 2, false), (500, 2, true)] {
        let span = span(&http(status, role));
        assert_eq!(span.status.is_some(), is_error, "{status} {role}");
        assert_eq!(told(&span, "error.type").is_some(), is_error);
    }
}

#[test]
fn a_statement_is_a_client_span_named_by_its_verb() {
    let numbers = [("time_", 10), ("latency", 5), ("trace_role", 1)];
    let span = span(&exchange("pgsql_events", &[("req", "select 1"), ("resp", "1")], &numbers));
    assert_eq!((span.name.as_str(), span.kind), ("SELECT", SpanKind::Client as i32));
    assert_eq!(told(&span, "db.system.name").as_deref(), Some("postgresql"));
    assert_eq!(told(&span, "db.query.text").as_deref(), Some("select 1"));
}

#[test]
fn the_same_row_always_has_the_same_ids_and_another_row_others() {
    let texts = |query| [("req", query)];
    let numbers = [("time_", 10), ("latency", 5), ("trace_role", 1)];
    let of = |query| span(&exchange("pgsql_events", &texts(query), &numbers));
    assert_eq!(of("select 1"), of("select 1"));
    assert_ne!(of("select 1").span_id, of("select 2").span_id);
    assert_eq!((of("select 1").trace_id.len(), of("select 1").span_id.len()), (16, 8));
}

#[test]
fn headers_that_name_no_trace_are_not_believed() {
    for header in
        ["", "00", "00-zz-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-é-é"]
    {
        let headers = serde_json::json!({ "traceparent": header }).to_string();
        let numbers = [("time_", 10), ("latency", 5), ("resp_status", 200)];
        let span = span(&exchange("http_events", &[("req_method", "GET"), ("req_headers", &headers)], &numbers));
        assert!(span.parent_span_id.is_empty() && span.trace_id.len() == 16, "{header}");
    }
}
