//! What a script exports: spans and metrics that it spells out itself, column by column, to a collector that it names.

mod messages;
mod pending;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::transport::{Message, Transport};
use super::{EVERY, OtlpSettings, Protocol};
use crate::endpoint::{Batch, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::http::Refusal;
use crate::manifest::ManifestError;
use crate::manifest::value::{Secret, Span as Period};
use pending::Rows;

/// Port that collectors take gRPC at.
const GRPC_PORT: u16 = 4317;
/// Port that collectors take HTTP at.
const HTTP_PORT: u16 = 4318;

/// What is sent of each row, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The collector.
    pub collector: Collector,
    /// Attributes of what the data is about.
    pub resource: Attributes,
    /// What each row becomes.
    pub parts: Vec<Part>,
}

/// Where a script says to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// `host:port` for gRPC, or a URL.
    pub url: String,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
    /// Whether a URL without a scheme is spoken to without TLS.
    pub insecure: bool,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// Names and where their values are from.
pub type Attributes = Vec<(String, Source)>;

/// Where a text is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The same for all rows.
    Constant(String),
    /// A column's value.
    Column(String),
}

/// A span or a data point.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// The value of a column at `time_`.
    Gauge {
        /// What the metric is called.
        metric: Metric,
        /// A column of numbers.
        value: String,
    },
    /// Count, sum and quantiles at `time_`.
    Summary {
        /// What the metric is called.
        metric: Metric,
        /// A column.
        count: String,
        /// A column.
        sum: String,
        /// Quantiles with their columns.
        quantiles: Vec<(f64, String)>,
    },
    /// Something that took its time.
    Span(Span),
}

/// A metric's name and what describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Name.
    pub name: String,
    /// In words; may be empty.
    pub description: String,
    /// Such as `ns`; may be empty.
    pub unit: String,
    /// Attributes of data points.
    pub attributes: Attributes,
}

/// A span. Ids are columns of hexadecimal digits; without them, or where they are none, a row always gets the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Name.
    pub name: Source,
    /// Column of the time at which it began.
    pub start: String,
    /// Column of the time at which it ended.
    pub end: String,
    /// Column of 32 digits.
    pub trace_id: Option<String>,
    /// Column of 16 digits.
    pub span_id: Option<String>,
    /// Column of 16 digits.
    pub parent_span_id: Option<String>,
    /// The protocol's number of the kind.
    pub kind: i32,
    /// Attributes of spans.
    pub attributes: Attributes,
}

/// A collector that is sent what a script exports: rows when they come, each once. Metrics wait for their moment, so that
/// a row that is corrected meanwhile is sent as it is then.
pub struct Exporter {
    export: Export,
    ways: Ways,
    rows: Rows,
    every_ms: u64,
    reported: u64,
    /// The batch that was taken last, which an attempt after a failure must not take again.
    taken: Option<Arc<Batch>>,
    /// What is to be sent of it, in order.
    outgoing: std::collections::VecDeque<Message>,
}

impl Exporter {
    /// A collector to be sent to; `node` makes ids differ from those of others.
    ///
    /// # Errors
    /// When the collector's address or a header is none.
    pub fn new(export: Export, node: &str) -> Result<Self, ManifestError> {
        let has_metrics = export.parts.iter().any(|part| !matches!(part, Part::Span(_)));
        let every_ms = if has_metrics { EVERY.as_millis() as u64 } else { 0 };
        let ways = Ways::to(&export.collector)?;
        let rows = Rows::new(node);
        Ok(Self { export, ways, rows, every_ms, reported: 0, taken: None, outgoing: Default::default() })
    }

    async fn take(&mut self, batch: &Arc<Batch>) -> Result<Written, Fault> {
        if !self.taken.as_ref().is_some_and(|taken| Arc::ptr_eq(taken, batch)) {
            self.taken = Some(Arc::clone(batch));
            self.rows.apply(batch);
            let is_due = batch.snapshot || batch.frontier >= self.reported.saturating_add(self.every_ms);
            if is_due || self.rows.are_many() {
                self.reported = batch.frontier;
                self.outgoing.extend(messages::of(&self.export, &self.rows.take()));
            }
        }
        let mut written = Written::default();
        while let Some(message) = self.outgoing.front() {
            let items = message.items() as u64;
            match self.ways.send(message).await {
                Ok(()) => written.rows += items,
                Err(Refusal::Content(reason)) => {
                    written.dropped += items;
                    written.reason = Some(reason);
                }
                Err(Refusal::Request(fault)) => return Err(fault),
            }
            self.outgoing.pop_front();
        }
        Ok(written)
    }
}

impl Endpoint for Exporter {
    fn open(&mut self, _: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(async move { self.take(&batch).await })
    }
}

/// The ways in which an address may be meant: scripts do not say whether they mean gRPC or HTTP. The first that is
/// answered is kept.
struct Ways {
    first: Transport,
    second: Option<Transport>,
}

impl Ways {
    fn to(collector: &Collector) -> Result<Self, ManifestError> {
        let Collector { url, headers, insecure, timeout } = collector;
        let has_scheme = url.contains("://");
        let full = match has_scheme {
            true => url.clone(),
            false => format!("{}://{url}", if *insecure { "http" } else { "https" }),
        };
        let wrong =
            || ManifestError(format!("px.otel.Endpoint: `{url}` is no address; write it like host:{GRPC_PORT}"));
        let parsed: Url = full.parse().map_err(|_| wrong())?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(wrong());
        }
        let headers: BTreeMap<_, _> =
            headers.iter().map(|(name, value)| (name.clone(), Secret(value.clone()))).collect();
        let way = |protocol| {
            Transport::new(&OtlpSettings {
                endpoint: parsed.clone(),
                protocol,
                headers: headers.clone(),
                token: None,
                timeout: Some(Period::of(*timeout)),
                every: None,
                prefix: None,
                signal: None,
                resource: BTreeMap::new(),
            })
        };
        let (first, second) = match parsed.port() {
            Some(HTTP_PORT) => (Protocol::Http, None),
            _ if !parsed.path().trim_matches('/').is_empty() => (Protocol::Http, None),
            Some(GRPC_PORT) => (Protocol::Grpc, Some(Protocol::Http)),
            _ if has_scheme => (Protocol::Http, Some(Protocol::Grpc)),
            _ => (Protocol::Grpc, Some(Protocol::Http)),
        };
        Ok(Self { first: way(first)?, second: second.map(way).transpose()? })
    }

    async fn send(&mut self, message: &Message) -> Result<(), Refusal> {
        let sent = self.first.send(message.clone()).await;
        let Some(mut second) = self.second.take() else { return sent };
        let Err(refusal) = sent else { return Ok(()) };
        if second.send(message.clone()).await.is_ok() {
            self.first = second;
            return Ok(());
        }
        self.second = Some(second);
        Err(refusal)
    }
}

#[cfg(test)]
mod tests;
