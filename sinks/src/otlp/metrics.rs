//! Rows of a keyed view as gauges: one metric a numeric column, one data point a row. Pure.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics};

use super::transport::Message;
use super::{ITEMS, resource, scope, text};
use crate::endpoint::Batch;
use crate::samples::{Labels, Samples};

/// A data point without a value: the series has ended.
const NO_VALUE: u32 = 1;

/// The view as it is at the batch's frontier.
pub(super) fn messages(batch: &Batch, samples: &Samples, prefix: &str, attributes: &[KeyValue]) -> Vec<Message> {
    let time_unix_nano = batch.frontier.saturating_mul(1_000_000);
    let mut points: Vec<(&String, NumberDataPoint)> = Vec::new();
    for (labels, values) in samples.rows() {
        let point = |value: f64| NumberDataPoint {
            attributes: attributes_of(labels),
            time_unix_nano,
            value: Some(Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        points.extend(values.iter().map(|(column, value)| (column, point(*value))));
    }
    for (labels, values) in samples.gone() {
        let attributes = attributes_of(labels);
        let point = NumberDataPoint { attributes, time_unix_nano, flags: NO_VALUE, ..NumberDataPoint::default() };
        points.extend(values.iter().map(|(column, _)| (column, point.clone())));
    }
    let name = |column: &str| format!("{prefix}.{}.{column}", batch.shape.view);
    points.chunks(ITEMS).map(|points| message(points, name, attributes)).collect()
}

fn message(points: &[(&String, NumberDataPoint)], name: impl Fn(&str) -> String, attributes: &[KeyValue]) -> Message {
    let items = points.len();
    let mut by_column: BTreeMap<&String, Vec<NumberDataPoint>> = BTreeMap::new();
    for (column, point) in points {
        by_column.entry(column).or_default().push(point.clone());
    }
    let metrics = by_column.into_iter().map(|(column, data_points)| Metric {
        name: name(column),
        data: Some(Data::Gauge(Gauge { data_points })),
        ..Metric::default()
    });
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics: metrics.collect(), ..ScopeMetrics::default() }];
    let mut attributes = attributes.to_vec();
    attributes.push(text("service.name", "watershed".to_owned()));
    let one = ResourceMetrics { resource: resource(attributes), scope_metrics, ..ResourceMetrics::default() };
    Message::Metrics(ExportMetricsServiceRequest { resource_metrics: vec![one] }, items)
}

fn attributes_of(labels: &Labels) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| text(name, value.clone())).collect()
}
