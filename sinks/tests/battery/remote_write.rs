//! A receiver of Prometheus remote-write.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use prost::Message;

use crate::cases::Other;
use crate::view::Rows;

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

#[derive(Default)]
struct Receiver {
    broken: AtomicBool,
    delay_ms: AtomicU64,
    held: Mutex<BTreeMap<String, (i64, u64)>>,
    last: AtomicU64,
}

async fn take(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    tokio::time::sleep(Duration::from_millis(receiver.delay_ms.load(Ordering::SeqCst))).await;
    if receiver.broken.load(Ordering::SeqCst) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    assert_eq!(headers["content-encoding"], "snappy");
    assert_eq!(headers["x-prometheus-remote-write-version"], "0.1.0");
    let message = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
    for series in WriteRequest::decode(message.as_slice()).unwrap().timeseries {
        let names: Vec<_> = series.labels.iter().map(|label| label.name.as_str()).collect();
        assert_eq!(names, ["__name__", "instance", "job", "key"], "sorted, and nothing else");
        assert_eq!(series.labels[0].value, "watershed_numbers_n");
        let key = series.labels[3].value.clone();
        let [sample] = series.samples.as_slice() else { panic!("one sample") };
        let time = sample.timestamp as u64;
        receiver.last.fetch_max(time, Ordering::SeqCst);
        let mut held = receiver.held.lock().unwrap();
        if sample.value.to_bits() == 0x7ff0_0000_0000_0002 {
            held.remove(&key);
        } else {
            held.insert(key, (sample.value as i64, time));
        }
    }
    StatusCode::NO_CONTENT
}

pub(crate) struct RemoteWrite {
    receiver: Arc<Receiver>,
    address: std::net::SocketAddr,
}

impl RemoteWrite {
    async fn new() -> Result<Self, String> {
        let receiver = Arc::new(Receiver::default());
        let router = Router::new().route("/api/v1/write", post(take)).with_state(Arc::clone(&receiver));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Ok(Self { receiver, address })
    }
}

impl Other for RemoteWrite {
    fn section(&self) -> String {
        format!("[remote_write]\nurl = \"http://{}/api/v1/write\"\nevery = \"1ms\"\n", self.address)
    }

    fn held(&self) -> (Rows, u64) {
        let held = self.receiver.held.lock().unwrap();
        // What a sink that was away did not see leave grows stale by itself.
        let last = self.receiver.last.load(Ordering::SeqCst);
        let fresh = held.iter().filter(|(_, (_, time))| *time == last);
        let rows = fresh.map(|(key, (n, _))| (format!("{{\"key\":\"{key}\",\"n\":{n}}}"), 1)).collect();
        (rows, last)
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

    fn refuse(&mut self, _: &str) -> bool {
        false
    }
}

crate::battery!(
    RemoteWrite::new().await,
    snapshot_deltas_and_retractions,
    a_restart_in_the_middle_changes_nothing,
    an_endpoint_that_is_down_is_tried_again,
    a_full_buffer_falls_back_to_a_snapshot,
    a_slow_endpoint_does_not_slow_the_view,
    shutdown_writes_what_waits_or_gives_up_in_time
);
