//! OpenTelemetry's protocol as an endpoint, over HTTP or gRPC: exchanges are spans, keyed views are metrics, anomalies and
//! alerts are log records.

pub mod export;
mod logs;
mod metrics;
mod spans;
mod transport;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use reqwest::Url;
use serde::Deserialize;

use crate::endpoint::{Batch, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::http::{self, Refusal};
use crate::manifest::value::{Secret, Span};
use crate::manifest::{Identity, ManifestError};
use crate::samples::{self, Samples};
use logs::Standing;
use transport::Transport;

/// Time of the view between two reports of metrics unless the manifest says otherwise.
const EVERY: Duration = Duration::from_secs(10);
/// Spans or data points of a request.
const ITEMS: usize = 1000;

/// `[otlp]` of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtlpSettings {
    #[serde(deserialize_with = "http::url")]
    endpoint: Url,
    #[serde(default)]
    protocol: Protocol,
    signal: Option<Signal>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    token: Option<Secret>,
    timeout: Option<Span>,
    every: Option<Span>,
    prefix: Option<String>,
    #[serde(default)]
    resource: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    #[default]
    Http,
    Grpc,
}

/// What rows become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl OtlpSettings {
    fn signal(&self, shape: &Shape) -> Signal {
        self.signal.unwrap_or_else(|| match shape {
            shape if spans::are_spans(shape) => Signal::Traces,
            shape if logs::are_usual_for(&shape.view) => Signal::Logs,
            _ => Signal::Metrics,
        })
    }

    /// Whether such rows can be what they are to become.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), ManifestError> {
        let wrong = |message: String| Err(ManifestError(format!("[otlp] {message}")));
        let no_spans = "spans need the columns time_ and latency, and no key";
        match self.signal(shape) {
            Signal::Traces if spans::are_spans(shape) => Ok(()),
            Signal::Traces => wrong(format!("{no_spans}, unlike `{}`", shape.view)),
            Signal::Logs => Ok(()),
            Signal::Metrics => match samples::refusal(shape) {
                None => Ok(()),
                Some(refusal) => wrong(format!("{refusal}; {no_spans}; signal = \"logs\" takes any row")),
            },
        }
    }
}

/// A collector.
pub(crate) struct Otlp {
    settings: OtlpSettings,
    transport: Transport,
    every_ms: u64,
    prefix: String,
    resource: Vec<KeyValue>,
    node: String,
    samples: Samples,
    standing: Standing,
    /// Log records of the last batch.
    records: Vec<LogRecord>,
    /// The batch that was applied last, which an attempt after a failure must not apply again.
    applied: Option<Arc<Batch>>,
    /// Messages of that batch that were taken.
    taken: usize,
    reported: u64,
}

impl Otlp {
    pub(crate) fn new(settings: &OtlpSettings, identity: &Identity) -> Result<Self, ManifestError> {
        let mut resource: Vec<KeyValue> =
            settings.resource.iter().map(|(name, value)| text(name, value.clone())).collect();
        resource.push(text("host.name", identity.node.clone()));
        Ok(Self {
            settings: settings.clone(),
            transport: Transport::new(settings)?,
            every_ms: settings.every.map_or(EVERY, Span::duration).as_millis() as u64,
            prefix: settings.prefix.clone().unwrap_or_else(|| "watershed".to_owned()),
            resource,
            node: identity.node.clone(),
            samples: Samples::default(),
            standing: Standing::default(),
            records: Vec::new(),
            applied: None,
            taken: 0,
            reported: 0,
        })
    }

    async fn take(&mut self, batch: &Arc<Batch>) -> Result<Written, Fault> {
        let is_again = self.applied.as_ref().is_some_and(|applied| Arc::ptr_eq(applied, batch));
        let signal = self.settings.signal(&batch.shape);
        if !is_again {
            self.taken = 0;
            self.applied = Some(Arc::clone(batch));
            match signal {
                Signal::Traces => (),
                Signal::Metrics => self.samples.apply(batch),
                Signal::Logs => self.records = self.standing.apply(batch, &self.prefix),
            }
        }
        let is_due = batch.snapshot || batch.frontier >= self.reported.saturating_add(self.every_ms);
        let messages = match signal {
            Signal::Traces => spans::messages(batch, &self.resource, &self.node),
            Signal::Logs => logs::messages(&self.records, &self.resource),
            Signal::Metrics if is_due => metrics::messages(batch, &self.samples, &self.prefix, &self.resource),
            Signal::Metrics => return Ok(Written::default()),
        };
        let mut written = Written::default();
        for message in messages.into_iter().skip(self.taken) {
            let items = message.items() as u64;
            match self.transport.send(message).await {
                Ok(()) => written.rows += items,
                Err(Refusal::Content(reason)) => {
                    written.dropped += items;
                    written.reason = Some(reason);
                }
                Err(Refusal::Request(fault)) => return Err(fault),
            }
            self.taken += 1;
        }
        self.samples.reported();
        self.reported = batch.frontier;
        Ok(written)
    }
}

impl Endpoint for Otlp {
    fn open(&mut self, _: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(async move { self.take(&batch).await })
    }
}

fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(name: &str, value: String) -> KeyValue {
    attribute(name, Value::StringValue(value))
}

fn integer(name: &str, value: i64) -> KeyValue {
    attribute(name, Value::IntValue(value))
}

fn resource(attributes: Vec<KeyValue>) -> Option<Resource> {
    Some(Resource { attributes, ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    let (name, version) = ("watershed".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Some(InstrumentationScope { name, version, ..InstrumentationScope::default() })
}
