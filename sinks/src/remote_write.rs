//! Prometheus remote-write (version 1) as an endpoint: a keyed view's rows as series, sent every so often, with stale
//! marks for rows that have left.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, Url};
use serde::Deserialize;

use crate::endpoint::{Batch, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::http::{self, Refusal};
use crate::manifest::value::{Secret, Span};
use crate::manifest::{Identity, ManifestError};
use crate::samples::{self, Labels, Samples};

/// Time of the view between two requests unless the manifest says otherwise.
const EVERY: Duration = Duration::from_secs(10);
/// Series of a request.
const SERIES: usize = 2000;
/// The value that says that a series has ended, by its bits.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// `[remote_write]` of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteWriteSettings {
    #[serde(deserialize_with = "http::url")]
    url: Url,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    token: Option<Secret>,
    timeout: Option<Span>,
    every: Option<Span>,
    prefix: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl RemoteWriteSettings {
    /// Whether such rows can be series.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), ManifestError> {
        samples::refusal(shape).map_or(Ok(()), |refusal| Err(ManifestError(format!("[remote_write] {refusal}"))))
    }
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// A receiver of series.
pub(crate) struct RemoteWrite {
    client: Client,
    url: Url,
    every_ms: u64,
    prefix: String,
    labels: BTreeMap<String, String>,
    samples: Samples,
    /// The batch that was applied last, which an attempt after a failure must not apply again.
    applied: Option<Arc<Batch>>,
    sent: u64,
    has_answered: bool,
}

impl RemoteWrite {
    pub(crate) fn new(settings: &RemoteWriteSettings, identity: &Identity) -> Result<Self, ManifestError> {
        let client = http::client("remote_write", &settings.headers, settings.token.as_ref(), settings.timeout)?;
        let mut labels = settings.labels.clone();
        labels.entry("instance".to_owned()).or_insert_with(|| identity.node.clone());
        labels.entry("job".to_owned()).or_insert_with(|| "watershed".to_owned());
        Ok(Self {
            client,
            url: settings.url.clone(),
            every_ms: settings.every.map_or(EVERY, Span::duration).as_millis() as u64,
            prefix: settings.prefix.clone().unwrap_or_else(|| "watershed".to_owned()),
            labels,
            samples: Samples::default(),
            applied: None,
            sent: 0,
            has_answered: false,
        })
    }

    async fn take(&mut self, batch: &Arc<Batch>) -> Result<Written, Fault> {
        if !self.applied.as_ref().is_some_and(|applied| Arc::ptr_eq(applied, batch)) {
            self.samples.apply(batch);
            self.applied = Some(Arc::clone(batch));
        }
        if batch.frontier < self.sent.saturating_add(self.every_ms) && !batch.snapshot {
            return Ok(Written::default());
        }
        let mut written = Written::default();
        let series = self.series(&batch.shape.view, batch.frontier as i64);
        for part in series.chunks(SERIES) {
            self.send(part, &mut written).await?;
        }
        self.samples.reported();
        self.sent = batch.frontier;
        Ok(written)
    }

    async fn send(&mut self, series: &[TimeSeries], written: &mut Written) -> Result<(), Fault> {
        let message = WriteRequest { timeseries: series.to_vec() }.encode_to_vec();
        let body = snap::raw::Encoder::new().compress_vec(&message).map_err(|error| Fault::Retry(error.to_string()))?;
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_ENCODING, "snappy")
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header("x-prometheus-remote-write-version", "0.1.0")
            .body(body);
        match http::send(request, &self.url, self.has_answered).await {
            Ok(()) => {
                self.has_answered = true;
                written.rows += series.len() as u64;
            }
            // Samples that are too old or out of order; the receiver has taken the others.
            Err(Refusal::Content(reason)) if self.has_answered || series.len() > 1 => {
                written.dropped += series.len() as u64;
                written.reason = Some(reason);
            }
            Err(Refusal::Content(reason)) => return Err(Fault::Fatal(reason)),
            Err(Refusal::Request(fault)) => return Err(fault),
        }
        Ok(())
    }

    fn series(&self, view: &str, timestamp: i64) -> Vec<TimeSeries> {
        let mut series = Vec::new();
        for (labels, values) in self.samples.rows() {
            for (column, value) in values {
                series.push(self.one(view, column, labels, *value, timestamp));
            }
        }
        for (labels, values) in self.samples.gone() {
            for (column, _) in values {
                series.push(self.one(view, column, labels, f64::from_bits(STALE), timestamp));
            }
        }
        series
    }

    fn one(&self, view: &str, column: &str, labels: &Labels, value: f64, timestamp: i64) -> TimeSeries {
        let name = plain(&format!("{}_{view}_{column}", self.prefix));
        let mut all: BTreeMap<String, String> = self.labels.clone();
        all.extend(labels.iter().map(|(name, value)| (plain(name), value.clone())));
        all.insert("__name__".to_owned(), name);
        // Receivers want labels in order.
        let labels = all.into_iter().map(|(name, value)| Label { name, value }).collect();
        TimeSeries { labels, samples: vec![Sample { value, timestamp }] }
    }
}

impl Endpoint for RemoteWrite {
    fn open(&mut self, _: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(async move { self.take(&batch).await })
    }

    fn close(&mut self) -> Pending<'_, ()> {
        Box::pin(async {
            self.applied = None;
            drop(mem::take(&mut self.samples));
        })
    }
}

/// A name as Prometheus takes it.
fn plain(name: &str) -> String {
    let mut plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) {
        plain.insert(0, '_');
    }
    plain
}
