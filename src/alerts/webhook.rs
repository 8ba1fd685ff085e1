//! Alerts posted as JSON: one queue an address, so that a receiver that is slow holds up nobody else, and nothing waits
//! for it: a queue that is full takes no more, which is counted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use watershed_ingest::redaction::Patterns;

use super::machine::Alert;
use super::table::state_of;
use crate::leaving;
use crate::signals::stopped;

/// Messages that wait for one address.
const WAITING_MAX: usize = 1000;
/// Addresses at a time.
const ADDRESSES_MAX: usize = 100;
/// A receiver has this long to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pauses between tries, doubling from the first to the last.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];
/// Tries of one message before it is given up.
const TRIES_MAX: u32 = 12;

/// What is posted.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Message {
    /// The script.
    alert: String,
    /// `raised` or `cleared`.
    state: &'static str,
    subject: Box<serde_json::value::RawValue>,
    row: Box<serde_json::value::RawValue>,
    /// Milliseconds since the epoch.
    since: u64,
    raised: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleared: Option<u64>,
}

impl Message {
    pub(super) fn of(script: &str, alert: &Alert) -> Self {
        let raw = |text: &str| {
            serde_json::value::RawValue::from_string(text.to_owned()).expect("rows are written as JSON objects")
        };
        Message {
            alert: script.to_owned(),
            state: state_of(alert),
            subject: raw(&alert.subject),
            row: raw(&alert.row),
            since: alert.since,
            raised: alert.raised,
            cleared: alert.cleared,
        }
    }
}

/// A message that was not posted before the server stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    address: String,
    text: String,
}

/// Where messages are put; clones are the same queues.
#[derive(Clone)]
pub(super) struct Webhooks {
    everybody: Option<String>,
    hidden: Arc<Patterns>,
    client: reqwest::Client,
    posts: Arc<Mutex<HashMap<String, Post>>>,
    stopping: watch::Receiver<bool>,
}

/// An address with its queue and the task that empties it.
struct Post {
    queue: mpsc::Sender<String>,
    /// Ends with what was not posted.
    task: JoinHandle<Vec<String>>,
}

impl Webhooks {
    /// `everybody` gets all messages; `hidden` is what none of them tells.
    ///
    /// # Errors
    /// When there can be no TLS.
    pub(super) fn new(
        everybody: Option<String>,
        hidden: Patterns,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::limited(3));
        Ok(Webhooks { everybody, hidden: Arc::new(hidden), client: client.build()?, posts: Arc::default(), stopping })
    }

    /// Puts a message where it is to be posted: to everybody's address and to the script's own. How often there was no
    /// room for it.
    pub(super) fn send(&self, own: Option<&str>, message: &Message) -> u64 {
        let text = serde_json::to_string(message).expect("a message has only text and numbers");
        let text = leaving::json(&text, &self.hidden);
        let own = own.filter(|own| self.everybody.as_deref() != Some(*own));
        let addresses = self.everybody.as_deref().into_iter().chain(own);
        addresses.map(|address| u64::from(!self.put(address, text.clone()))).sum()
    }

    /// Puts messages of an earlier run where they are to be posted.
    pub(super) fn resume(&self, messages: Vec<Waiting>) {
        let lost = messages.into_iter().filter(|message| !self.put(&message.address, message.text.clone())).count();
        if lost > 0 {
            tracing::error!("there is no room for {lost} messages that an earlier run had not posted");
        }
    }

    fn put(&self, address: &str, text: String) -> bool {
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(post) = posts.get(address) {
            return post.queue.try_send(text).is_ok();
        }
        if posts.len() >= ADDRESSES_MAX {
            return false;
        }
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(post_all(self.client.clone(), address.to_owned(), waiting, self.stopping.clone()));
        let put = queue.try_send(text).is_ok();
        posts.insert(address.to_owned(), Post { queue, task });
        put
    }

    /// Ends all tasks, once the server stops: what is not posted by then.
    pub(super) async fn end(self) -> Vec<Waiting> {
        let posts = std::mem::take(&mut *self.posts.lock().unwrap_or_else(PoisonError::into_inner));
        let mut left = Vec::new();
        for (address, Post { queue, task }) in posts {
            drop(queue);
            let texts = task.await.unwrap_or_default();
            left.extend(texts.into_iter().map(|text| Waiting { address: address.clone(), text }));
        }
        left
    }
}

/// Posts until the queue has ended; once the server stops, what comes is only collected.
async fn post_all(
    client: reqwest::Client,
    address: String,
    mut waiting: mpsc::Receiver<String>,
    mut stopping: watch::Receiver<bool>,
) -> Vec<String> {
    let mut left = Vec::new();
    while let Some(text) = waiting.recv().await {
        let posted = !*stopping.borrow()
            && tokio::select! {
                () = post(&client, &address, &text) => true,
                () = stopped(&mut stopping) => false,
            };
        if !posted {
            left.push(text);
        }
    }
    left
}

/// Posts one message, again and again as long as the receiver may take it later.
async fn post(client: &reqwest::Client, address: &str, text: &str) {
    let [mut pause, longest] = PAUSES;
    let mut why = String::new();
    for _ in 0..TRIES_MAX {
        let request = client.post(address).header("content-type", "application/json").body(text.to_owned());
        match request.send().await.map(|response| response.status()) {
            Ok(status) if status.is_success() => return,
            Ok(status) if !is_passing(status) => {
                tracing::error!("an alert was refused by {}: {status}", shown(address));
                return;
            }
            Ok(status) => why = status.to_string(),
            Err(error) => why = error.without_url().to_string(),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
    tracing::error!("an alert could not be posted to {} in {TRIES_MAX} tries: {why}", shown(address));
}

/// Whether a receiver that answers so may take the message later.
fn is_passing(status: reqwest::StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// An address without what may be a secret in it.
fn shown(address: &str) -> &str {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or_default();
    host.rsplit('@').next().unwrap_or_default()
}
