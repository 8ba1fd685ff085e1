//! HTTP requests as an endpoint: each batch is posted as JSON, in parts if it is large. A part may come twice, with the
//! same `Idempotency-Key`; the changes of a batch count when the part marked `last` has come.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::Error as _;
use watershed_model::json::quote;

use crate::endpoint::{Batch, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::lines;
use crate::manifest::value::{Secret, Span};
use crate::manifest::{Identity, ManifestError};

/// Rows of a request unless the manifest says otherwise.
const ROWS: usize = 1000;
/// An answer may take this long unless the manifest says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A frontier that moves without changes is posted this often.
const MARK_EVERY: Duration = Duration::from_secs(10);

/// `[webhook]` of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    #[serde(deserialize_with = "url")]
    url: Url,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    token: Option<Secret>,
    timeout: Option<Span>,
    rows: Option<usize>,
}

fn url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    let url = text.parse().ok().filter(is_http);
    url.ok_or_else(|| D::Error::custom(format!("`{text}` is no URL; write it like https://host/path")))
}

/// A URL that batches are posted to.
#[derive(Debug)]
pub(crate) struct Webhook {
    client: Client,
    url: Url,
    identity: Identity,
    rows: usize,
    has_answered: bool,
    /// What was taken of the batch that is being written.
    taken: Taken,
    last_post: Option<Instant>,
}

/// The first rows of a batch, taken before an attempt failed.
#[derive(Debug, Default)]
struct Taken {
    frontier: u64,
    rows: usize,
    written: Written,
}

/// Why a request was not taken.
enum Refusal {
    /// Not these rows, ever.
    Rows(String),
    /// Not now, or not from us.
    Request(Fault),
}

impl Webhook {
    pub(crate) fn new(settings: &WebhookSettings, identity: Identity) -> Result<Self, ManifestError> {
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let wrong = |name: &str| ManifestError(format!("[webhook] `{name}` cannot be sent as a header"));
        for (name, value) in &settings.headers {
            let key: HeaderName = name.parse().map_err(|_| wrong(name))?;
            headers.insert(key, value.0.parse().map_err(|_| wrong(name))?);
        }
        if let Some(token) = &settings.token {
            headers.insert(AUTHORIZATION, format!("Bearer {}", token.0).parse().map_err(|_| wrong("token"))?);
        }
        let client = Client::builder()
            .default_headers(headers)
            .timeout(settings.timeout.map_or(TIMEOUT, Span::duration))
            .redirect(redirect::Policy::none())
            .user_agent(concat!("watershed/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ManifestError(format!("[webhook] {error}")))?;
        let rows = settings.rows.unwrap_or(ROWS).max(1);
        Ok(Self {
            client,
            url: settings.url.clone(),
            identity,
            rows,
            has_answered: false,
            taken: Taken::default(),
            last_post: None,
        })
    }

    async fn post(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let rows: Vec<(u64, String, i64)> =
            batch.changes.iter().flat_map(|c| lines::rows(c).map(|(row, diff)| (c.time, row, diff))).collect();
        if self.taken.frontier != batch.frontier {
            self.taken = Taken { frontier: batch.frontier, ..Taken::default() };
        }
        loop {
            let at = self.taken.rows;
            let end = (at + self.rows).min(rows.len());
            let mut written = mem::take(&mut self.taken.written);
            let result = self.part(batch, &rows, at..end, &mut written).await;
            self.taken.written = written;
            result?;
            self.taken.rows = end;
            if end == rows.len() {
                self.last_post = Some(Instant::now());
                return Ok(mem::take(&mut self.taken).written);
            }
        }
    }

    /// Posts some rows; those that the other side refuses are found by halving.
    async fn part(
        &mut self,
        batch: &Batch,
        rows: &[(u64, String, i64)],
        part: Range<usize>,
        written: &mut Written,
    ) -> Result<(), Fault> {
        let mut parts = vec![part];
        while let Some(part) = parts.pop() {
            match self.request(batch, rows, part.clone()).await {
                Ok(()) => written.rows += part.len() as u64,
                Err(Refusal::Request(fault)) => return Err(fault),
                Err(Refusal::Rows(reason)) if part.is_empty() => return Err(Fault::Retry(reason)),
                Err(Refusal::Rows(reason)) if part.len() == 1 => {
                    written.drop_row(reason);
                    if part.end == rows.len() {
                        // The batch has to end all the same.
                        parts.push(part.end..part.end);
                    }
                }
                Err(Refusal::Rows(_)) => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
            }
        }
        Ok(())
    }

    async fn request(&mut self, batch: &Batch, rows: &[(u64, String, i64)], part: Range<usize>) -> Result<(), Refusal> {
        let key =
            format!("{}/{}/{}/{}-{}", self.identity.node, self.identity.sink, batch.frontier, part.start, part.end);
        let body = self.body(batch, rows, part);
        let sent = self.client.post(self.url.clone()).header("idempotency-key", key).body(body).send().await;
        let answer = sent.map_err(|error| Refusal::Request(Fault::Retry(reason_of(&error))))?;
        let status = answer.status();
        if status.is_success() {
            self.has_answered = true;
            return Ok(());
        }
        Err(self.refusal(status))
    }

    fn refusal(&self, status: StatusCode) -> Refusal {
        let message = format!("{} answered {status}", self.url);
        match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Refusal::Rows(message)
            }
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
                Refusal::Request(Fault::Retry(message))
            }
            // An address that never worked is a mistake of the manifest.
            _ if (status.is_client_error() || status.is_redirection()) && !self.has_answered => {
                Refusal::Request(Fault::Fatal(message))
            }
            _ => Refusal::Request(Fault::Retry(message)),
        }
    }

    fn body(&self, batch: &Batch, rows: &[(u64, String, i64)], part: Range<usize>) -> String {
        let mut text = String::from("{\"sink\":");
        quote(&mut text, &self.identity.sink);
        text.push_str(",\"node\":");
        quote(&mut text, &self.identity.node);
        text.push_str(",\"view\":");
        quote(&mut text, &batch.shape.view);
        let (first, last) = (part.start == 0, part.end == rows.len());
        write!(
            text,
            ",\"snapshot\":{},\"frontier\":{},\"first\":{first},\"last\":{last},\"changes\":[",
            batch.snapshot, batch.frontier
        )
        .expect("text grows");
        for (position, (time, row, diff)) in rows[part].iter().enumerate() {
            let comma = if position > 0 { "," } else { "" };
            write!(text, "{comma}{{\"time\":{time},\"diff\":{diff},\"row\":{row}}}").expect("text grows");
        }
        text.push_str("]}");
        text
    }
}

impl Endpoint for Webhook {
    fn open(&mut self, _: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(async move {
            let is_mark = batch.rows() == 0 && !batch.snapshot;
            if is_mark && self.last_post.is_some_and(|last| last.elapsed() < MARK_EVERY) {
                return Ok(Written::default());
            }
            self.post(&batch).await
        })
    }
}

/// The chain of causes on one line, without the URL twice.
pub(crate) fn reason_of(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        write!(text, ": {error}").expect("text grows");
        cause = error.source();
    }
    text
}
