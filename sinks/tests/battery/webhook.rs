//! A receiver of webhooks that applies what it is posted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;

use crate::cases::Other;
use crate::view::Rows;

#[derive(Default)]
struct Receiver {
    broken: AtomicBool,
    delay_ms: AtomicU64,
    poison: Mutex<Option<String>>,
    /// Of the batch that has not ended.
    open: Mutex<Vec<Value>>,
    held: Mutex<(Rows, u64)>,
}

pub(crate) struct Webhook {
    receiver: Arc<Receiver>,
    address: std::net::SocketAddr,
}

impl Webhook {
    async fn new() -> Result<Self, String> {
        let receiver = Arc::new(Receiver::default());
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&receiver));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Ok(Self { receiver, address })
    }
}

async fn take(State(receiver): State<Arc<Receiver>>, Json(body): Json<Value>) -> StatusCode {
    tokio::time::sleep(Duration::from_millis(receiver.delay_ms.load(Ordering::SeqCst))).await;
    if receiver.broken.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let changes = body["changes"].as_array().unwrap();
    if let Some(poison) = receiver.poison.lock().unwrap().as_ref()
        && changes.iter().any(|change| change["row"]["key"] == poison.as_str())
    {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    let mut open = receiver.open.lock().unwrap();
    if body["first"] == true {
        open.clear();
    }
    open.extend(changes.iter().cloned());
    if body["last"] == true {
        let mut held = receiver.held.lock().unwrap();
        if body["snapshot"] == true {
            held.0.clear();
        }
        let frontier = body["frontier"].as_u64().unwrap();
        // What came before comes again after an answer that got lost.
        if held.1 < frontier || body["snapshot"] == true {
            for change in open.drain(..) {
                let count = held.0.entry(change["row"].to_string()).or_default();
                *count += change["diff"].as_i64().unwrap();
            }
        }
        held.0.retain(|_, count| *count != 0);
        held.1 = frontier;
    }
    StatusCode::OK
}

impl Other for Webhook {
    fn section(&self) -> String {
        format!("[webhook]\nurl = \"http://{}/\"\nrows = 4\ntoken = \"secret\"\n", self.address)
    }

    fn held(&self) -> (Rows, u64) {
        self.receiver.held.lock().unwrap().clone()
    }

    fn break_it(&mut self) {
        self.receiver.broken.store(true, Ordering::SeqCst);
    }

    fn mend(&mut self) {
        self.receiver.broken.store(false, Ordering::SeqCst);
        self.receiver.delay_ms.store(0, Ordering::SeqCst);
    }

    fn slow_down(&mut self) -> bool {
        self.receiver.delay_ms.store(50, Ordering::SeqCst);
        true
    }

    fn refuse(&mut self, key: &str) -> bool {
        *self.receiver.poison.lock().unwrap() = Some(key.to_owned());
        true
    }
}

crate::battery!(Webhook::new().await);
