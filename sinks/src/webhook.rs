//! HTTP requests as an endpoint: each batch is posted as JSON, in parts if it is large. A part may come twice, with the
//! same `Idempotency-Key`; the changes of a batch count when the part marked `last` has come.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use serde::Deserialize;
use watershed_model::json::quote;

use crate::endpoint::{Batch, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::http::{self, Refusal};
use crate::lines;
use crate::manifest::value::{Secret, Span};
use crate::manifest::{Identity, ManifestError};

/// Rows of a request unless the manifest says otherwise.
const ROWS: usize = 1000;
/// A frontier that moves without changes is posted this often.
const MARK_EVERY: Duration = Duration::from_secs(10);

/// `[webhook]` of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    #[serde(deserialize_with = "http::url")]
    url: Url,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    token: Option<Secret>,
    timeout: Option<Span>,
    rows: Option<usize>,
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

impl Webhook {
    pub(crate) fn new(settings: &WebhookSettings, identity: Identity) -> Result<Self, ManifestError> {
        let client = http::client("webhook", &settings.headers, settings.token.as_ref(), settings.timeout)?;
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
                Err(Refusal::Content(reason)) if part.is_empty() => return Err(Fault::Retry(reason)),
                Err(Refusal::Content(reason)) if part.len() == 1 => {
                    written.drop_row(reason);
                    if part.end == rows.len() {
                        // The batch has to end all the same.
                        parts.push(part.end..part.end);
                    }
                }
                Err(Refusal::Content(_)) => {
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
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        http::send(request.header("idempotency-key", key).body(body), &self.url, self.has_answered).await?;
        self.has_answered = true;
        Ok(())
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
