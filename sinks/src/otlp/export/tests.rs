#![allow(clippy::unwrap_used)]

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;

use super::*;
use crate::endpoint::Changes;

fn batch(frontier: u64, snapshot: bool, rows: &[(&str, i64, f64)], diffs: &[i64]) -> Batch {
    let columns: [(&str, ArrayRef); 4] = [
        ("service", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)))),
        ("n", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)))),
        ("p50", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2)))),
        ("time_", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1 * 1_000)))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let shape = Shape { view: "export".into(), schema: rows.schema(), key: Vec::new(), append: false };
    let changes = vec![Changes { time: frontier, rows, diffs: diffs.to_vec() }];
    Batch { frontier, snapshot, shape: Arc::new(shape), changes }
}

fn metric(name: &str) -> Metric {
    let attributes = vec![("who".to_owned(), Source::Column("service".to_owned()))];
    Metric { name: name.to_owned(), description: String::new(), unit: "1".to_owned(), attributes }
}

fn export(parts: Vec<Part>) -> Export {
    let collector = Collector {
        url: "127.0.0.1:1".to_owned(),
        headers: Vec::new(),
        insecure: true,
        timeout: Duration::from_secs(1),
    };
    let resource = vec![
        ("service.name".to_owned(), Source::Column("service".to_owned())),
        ("team".to_owned(), Source::Constant("blue".to_owned())),
    ];
    Export { collector, resource, parts }
}

fn span(trace_id: Option<&str>) -> Part {
    Part::Span(Span {
        name: Source::Constant("work".to_owned()),
        start: "n".to_owned(),
        end: "time_".to_owned(),
        trace_id: trace_id.map(str::to_owned),
        span_id: None,
        parent_span_id: None,
        kind: 3,
        attributes: Vec::new(),
    })
}

fn messages(export: &Export, batches: &[Batch]) -> Vec<Message> {
    let mut rows = Rows::new("node");
    batches.iter().for_each(|batch| rows.apply(batch));
    super::messages::of(export, &rows.take())
}

fn texts(attributes: &[KeyValue]) -> Vec<(&str, String)> {
    let one = |attribute: &'_ KeyValue| match attribute.value.clone().unwrap().value.unwrap() {
        Value::StringValue(text) => text,
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.as_str(), one(attribute))).collect()
}

#[test]
fn metrics_are_points_at_the_time_of_their_rows_by_resource() {
    let gauge = Part::Gauge { metric: metric("requests"), value: "n".to_owned() };
    let quantiles = vec![(0.5, "p50".to_owned())];
    let summary = Part::Summary { metric: metric("latency"), count: "n".to_owned(), sum: "p50".to_owned(), quantiles };
    let sent = messages(&export(vec![gauge, summary]), &[batch(1, true, &[("a", 5, 0.5), ("b", 7, 1.5)], &[1, 1])]);
    let [Message::Metrics(request, 4)] = sent.as_slice() else { panic!("one message of four points: {sent:?}") };
    assert_eq!(request.resource_metrics.len(), 2);
    let first = &request.resource_metrics[0];
    let resource = texts(&first.resource.as_ref().unwrap().attributes);
    assert_eq!(resource, [("service.name", "a".to_owned()), ("team", "blue".to_owned())]);
    let [latency, requests] = first.scope_metrics[0].metrics.as_slice() else { panic!("two metrics") };
    assert_eq!((latency.name.as_str(), requests.name.as_str(), requests.unit.as_str()), ("latency", "requests", "1"));
    let Some(Data::Gauge(gauge)) = &requests.data else { panic!("a gauge") };
    let point = &gauge.data_points[0];
    assert_eq!((point.value, point.time_unix_nano), (Some(Number::AsInt(5)), 5_000));
    assert_eq!(texts(&point.attributes), [("who", "a".to_owned())]);
    let Some(Data::Summary(summary)) = &latency.data else { panic!("a summary") };
    let point = &summary.data_points[0];
    assert_eq!((point.count, point.sum, point.time_unix_nano), (5, 0.5, 5_000));
    assert_eq!((point.quantile_values[0].quantile, point.quantile_values[0].value), (0.5, 0.5));
}

#[test]
fn a_row_that_was_corrected_before_it_was_sent_is_sent_as_it_is_then() {
    let gauge = export(vec![Part::Gauge { metric: metric("requests"), value: "n".to_owned() }]);
    let came = batch(1, false, &[("a", 5, 0.0)], &[1]);
    let corrected = batch(2, false, &[("a", 5, 0.0), ("a", 6, 0.0)], &[-1, 1]);
    let [Message::Metrics(_, 1)] = messages(&gauge, &[came.clone(), corrected]).as_slice() else { panic!("one point") };
    let gone = batch(2, false, &[("a", 5, 0.0)], &[-1]);
    assert!(messages(&gauge, &[came, gone.clone()]).is_empty());
    // What was sent before and goes now is no news.
    assert!(messages(&gauge, &[gone]).is_empty());
}

#[test]
fn spans_have_the_ids_that_columns_give_and_else_the_same_for_the_same_row() {
    let ids = |part: Part, rows: &[(&str, i64, f64)]| {
        let sent = messages(&export(vec![part]), &[batch(1, true, rows, &vec![1; rows.len()])]);
        let [Message::Spans(request, _)] = sent.as_slice() else { panic!("one message: {sent:?}") };
        let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans[0].spans);
        spans.map(|span| (span.trace_id.clone(), span.span_id.clone())).collect::<Vec<_>>()
    };
    let id = "0af7651916cd43dd8448eb211c80319c";
    let given = ids(span(Some("service")), &[(id, 1, 0.0)]);
    assert_eq!(given[0].0[..3], [0x0a, 0xf7, 0x65]);
    let made = ids(span(None), &[(id, 1, 0.0), (id, 2, 0.0), (id, 2, 0.0)]);
    assert_eq!(made.len(), 3);
    assert!(
        made[0] != made[1]
            && made[1] != made[2]
            && made.iter().all(|(trace, span)| trace.len() == 16 && span.len() == 8)
    );
    assert_eq!(made, ids(span(None), &[(id, 1, 0.0), (id, 2, 0.0), (id, 2, 0.0)]));
    let broken = ids(span(Some("service")), &[("no id", 1, 0.0)]);
    assert_eq!(broken[0].0.len(), 16);
}

#[test]
fn addresses_are_host_and_port_or_urls() {
    let of = |url: &str, insecure: bool| {
        let headers = vec![("x-key".to_owned(), "secret".to_owned())];
        let timeout = Duration::from_secs(1);
        Ways::to(&Collector { url: url.to_owned(), headers, insecure, timeout })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    assert!(matches!(of("collector.monitoring:4317", true).unwrap().first, Transport::Grpc { .. }));
    assert!(matches!(of("http://collector:4318", true).unwrap().first, Transport::Http { .. }));
    assert!(matches!(
        of("https://api.example.com/otlp", false).unwrap(),
        Ways { first: Transport::Http { .. }, second: None }
    ));
    for wrong in ["", "file:///etc/passwd", "http://", "a b"] {
        assert!(of(wrong, true).is_err(), "{wrong}");
    }
}
