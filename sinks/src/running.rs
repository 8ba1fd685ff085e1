//! A sink at work: one task that follows and writes, and the handle that ends it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::buffer::Buffer;
use crate::endpoint::Endpoint;
use crate::feed::Feed;
use crate::retry::RetryPolicy;
use crate::status::{Phase, Status};
use crate::{reader, writer};

/// What waits when a sink ends has this long to be written.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// Bounds and patience of a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes that may wait for the endpoint.
    pub buffer_bytes: usize,
    /// Waits between attempts.
    pub retry: RetryPolicy,
}

impl Default for Budget {
    fn default() -> Self {
        Self { buffer_bytes: 16 << 20, retry: RetryPolicy::default() }
    }
}

/// The handle; dropping it ends the sink without ceremony.
#[derive(Debug)]
pub struct Running {
    status: Arc<Status>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Begins to follow `feed` and to write to `endpoint`.
    #[must_use]
    pub fn start(feed: Arc<dyn Feed>, endpoint: Box<dyn Endpoint>, budget: Budget) -> Self {
        let status = Arc::new(Status::default());
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(run(feed, endpoint, budget, Arc::clone(&status), stopping));
        Self { status, stop, task }
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// Writes what waits, in bounded time, and ends.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // A task that was aborted or has panicked has ended as well.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    feed: Arc<dyn Feed>,
    mut endpoint: Box<dyn Endpoint>,
    budget: Budget,
    status: Arc<Status>,
    mut stopping: watch::Receiver<bool>,
) {
    let buffer = Buffer::new(budget.buffer_bytes);
    let mut last_read = stopping.clone();
    let reading = async {
        tokio::select! {
            () = reader::run(feed.as_ref(), &buffer, &status, budget.retry) => (),
            _ = last_read.wait_for(|stopping| *stopping) => (),
        }
        // The subscription is gone; the writer goes on with what waits.
        std::future::pending::<()>().await;
    };
    let writing = writer::run(endpoint.as_mut(), &buffer, &status, budget.retry, stopping.clone());
    let too_late = async {
        let _ = stopping.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(LAST_WRITES).await;
    };
    let result = tokio::select! {
        () = reading => Ok(()),
        result = writing => result,
        () = too_late => Ok(()),
    };
    if let Err(fault) = &result {
        status.change(|status| {
            status.phase = Phase::Failed;
            status.reason = fault.to_string();
        });
        return;
    }
    let _ = tokio::time::timeout(LAST_WRITES, endpoint.close()).await;
    status.change(|status| status.phase = Phase::Stopped);
}
