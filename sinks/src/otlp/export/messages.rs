//! Rows as the messages that a script's export spells out. Pure.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric as SentMetric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as SentSpan};
use watershed_model::cells::{Cell, hexadecimal};

use super::super::transport::Message;
use super::super::{ITEMS, attribute, resource, scope, text};
use super::pending::Row;
use super::{Attributes, Export, Metric, Part, Source, Span};

/// All spans and data points of the rows.
pub(super) fn of(export: &Export, rows: &[Row]) -> Vec<Message> {
    let spans: Vec<_> = each(export, rows, |part, row| match part {
        Part::Span(span) => Some(span_of(span, row)),
        Part::Gauge { .. } | Part::Summary { .. } => None,
    });
    let points: Vec<_> = each(export, rows, |part, row| match part {
        Part::Gauge { metric, value } => Some((metric, gauge(metric, value, row)?)),
        Part::Summary { metric, count, sum, quantiles } => Some((metric, summary(metric, count, sum, quantiles, row))),
        Part::Span(_) => None,
    });
    let spans = spans.chunks(ITEMS).map(|spans| {
        let one = |(resource_of, spans): (&Resource, Vec<&SentSpan>)| {
            let spans = spans.into_iter().cloned().collect();
            let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
            ResourceSpans { resource: resource(resource_of.1.clone()), scope_spans, ..ResourceSpans::default() }
        };
        let resource_spans = by_resource(spans).into_iter().map(one).collect();
        Message::Spans(ExportTraceServiceRequest { resource_spans }, spans.len())
    });
    let metrics = points.chunks(ITEMS).map(|points| {
        let one = |(resource_of, points): (&Resource, Vec<&(&Metric, Data)>)| {
            let scope_metrics =
                vec![ScopeMetrics { scope: scope(), metrics: metrics(&points), ..ScopeMetrics::default() }];
            ResourceMetrics { resource: resource(resource_of.1.clone()), scope_metrics, ..ResourceMetrics::default() }
        };
        let resource_metrics = by_resource(points).into_iter().map(one).collect();
        Message::Metrics(ExportMetricsServiceRequest { resource_metrics }, points.len())
    });
    spans.chain(metrics).collect()
}

/// What tells resources apart, and their attributes.
type Resource = (String, Vec<KeyValue>);

/// What is made of each row, with its resource.
fn each<'a, T>(
    export: &'a Export,
    rows: &'a [Row],
    make: impl Fn(&'a Part, &'a Row) -> Option<T>,
) -> Vec<(Resource, T)> {
    let mut made = Vec::new();
    for row in rows {
        let parts: Vec<T> = export.parts.iter().filter_map(|part| make(part, row)).collect();
        if parts.is_empty() {
            continue;
        }
        let attributes = attributes(&export.resource, row);
        let told_apart_by = format!("{attributes:?}");
        made.extend(parts.into_iter().map(|part| ((told_apart_by.clone(), attributes.clone()), part)));
    }
    made
}

fn by_resource<T>(made: &[(Resource, T)]) -> Vec<(&Resource, Vec<&T>)> {
    let mut grouped: BTreeMap<&str, (&Resource, Vec<&T>)> = BTreeMap::new();
    for (resource, part) in made {
        grouped.entry(&resource.0).or_insert_with(|| (resource, Vec::new())).1.push(part);
    }
    grouped.into_values().collect()
}

/// One metric a name, with all its data points.
fn metrics(points: &[&(&Metric, Data)]) -> Vec<SentMetric> {
    let mut by_name: BTreeMap<(&str, &str, bool), SentMetric> = BTreeMap::new();
    for (metric, data) in points {
        let key = (metric.name.as_str(), metric.unit.as_str(), matches!(data, Data::Gauge(_)));
        let Some(known) = by_name.get_mut(&key) else {
            let sent = SentMetric {
                name: metric.name.clone(),
                description: metric.description.clone(),
                unit: metric.unit.clone(),
                data: Some(data.clone()),
                ..SentMetric::default()
            };
            by_name.insert(key, sent);
            continue;
        };
        match (&mut known.data, data) {
            (Some(Data::Gauge(known)), Data::Gauge(more)) => known.data_points.extend(more.data_points.iter().cloned()),
            (Some(Data::Summary(known)), Data::Summary(more)) => {
                known.data_points.extend(more.data_points.iter().cloned());
            }
            _ => {}
        }
    }
    by_name.into_values().collect()
}

/// A gauge with one point; `None` where the value is no number.
fn gauge(metric: &Metric, value: &str, row: &Row) -> Option<Data> {
    let value = match row.cell(value) {
        Cell::Integer(value) => Number::AsInt(i64::try_from(value).ok()?),
        Cell::Float(value) => Number::AsDouble(value),
        _ => return None,
    };
    let point = NumberDataPoint {
        attributes: attributes(&metric.attributes, row),
        time_unix_nano: time(row, "time_"),
        value: Some(value),
        ..NumberDataPoint::default()
    };
    Some(Data::Gauge(Gauge { data_points: vec![point] }))
}

fn summary(metric: &Metric, count: &str, sum: &str, quantiles: &[(f64, String)], row: &Row) -> Data {
    let at = |(quantile, column): &(f64, String)| ValueAtQuantile { quantile: *quantile, value: float(row, column) };
    let point = SummaryDataPoint {
        attributes: attributes(&metric.attributes, row),
        time_unix_nano: time(row, "time_"),
        count: float(row, count).max(0.0) as u64,
        sum: float(row, sum),
        quantile_values: quantiles.iter().map(at).collect(),
        ..SummaryDataPoint::default()
    };
    Data::Summary(Summary { data_points: vec![point] })
}

fn span_of(span: &Span, row: &Row) -> SentSpan {
    let given = |column: &Option<String>, bytes: usize| column.as_ref().and_then(|column| id(row, column, bytes));
    SentSpan {
        trace_id: given(&span.trace_id, 16).unwrap_or_else(|| [row.id(0), row.id(1)].concat()),
        span_id: given(&span.span_id, 8).unwrap_or_else(|| row.id(2).to_vec()),
        parent_span_id: given(&span.parent_span_id, 8).unwrap_or_default(),
        name: match &span.name {
            Source::Constant(name) => name.clone(),
            Source::Column(column) => shown(row.cell(column)),
        },
        kind: span.kind,
        start_time_unix_nano: time(row, &span.start),
        end_time_unix_nano: time(row, &span.end),
        attributes: attributes(&span.attributes, row),
        ..SentSpan::default()
    }
}

fn attributes(attributes: &Attributes, row: &Row) -> Vec<KeyValue> {
    let one = |(name, source): &(String, Source)| match source {
        Source::Constant(value) => text(name, value.clone()),
        Source::Column(column) => {
            let value = match row.cell(column) {
                Cell::Boolean(value) => Value::BoolValue(value),
                Cell::Integer(value) => Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX)),
                Cell::Float(value) => Value::DoubleValue(value),
                other => Value::StringValue(shown(other)),
            };
            attribute(name, value)
        }
    };
    attributes.iter().map(one).collect()
}

fn shown(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Id(value) => format!("{value:032x}"),
        Cell::Float(value) => value.to_string(),
        Cell::Text(value) => value.to_owned(),
        Cell::Bytes(bytes) => hexadecimal(bytes),
    }
}

fn time(row: &Row, column: &str) -> u64 {
    match row.cell(column) {
        Cell::Integer(value) => u64::try_from(value.max(0)).unwrap_or(u64::MAX),
        _ => 0,
    }
}

fn float(row: &Row, column: &str) -> f64 {
    match row.cell(column) {
        Cell::Integer(value) => value as f64,
        Cell::Float(value) => value,
        _ => 0.0,
    }
}

/// An id of so many bytes that are not all zero, from hexadecimal digits.
fn id(row: &Row, column: &str, bytes: usize) -> Option<Vec<u8>> {
    let Cell::Text(digits) = row.cell(column) else { return None };
    if digits.len() != 2 * bytes || !digits.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok();
    let id: Vec<u8> = (0..bytes).map(byte).collect::<Option<_>>()?;
    id.iter().any(|byte| *byte != 0).then_some(id)
}
