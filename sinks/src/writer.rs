//! The half of a sink that writes: it opens the endpoint, hands it one batch after the other, and tries again.

use std::sync::Arc;

use tokio::sync::watch;

use crate::buffer::Buffer;
use crate::endpoint::{Batch, Endpoint, Fault};
use crate::retry::{Backoff, RetryPolicy};
use crate::status::{Phase, Status};

/// Writes until told to stop, then what waits. An error is final.
pub(crate) async fn run(
    endpoint: &mut dyn Endpoint,
    buffer: &Buffer,
    status: &Status,
    policy: RetryPolicy,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Fault> {
    let mut writer = Writer { endpoint, buffer, status, backoff: Backoff::new(policy), is_open: false };
    loop {
        let joined_bytes = writer.endpoint.joined_bytes();
        let batch = tokio::select! {
            biased;
            batch = buffer.pop(joined_bytes) => batch,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        writer.write(batch).await?;
    }
    while let Some(batch) = buffer.try_pop(writer.endpoint.joined_bytes()) {
        writer.write(batch).await?;
    }
    Ok(())
}

struct Writer<'a> {
    endpoint: &'a mut dyn Endpoint,
    buffer: &'a Buffer,
    status: &'a Status,
    backoff: Backoff,
    is_open: bool,
}

impl Writer<'_> {
    /// Tries until the batch is written, or the endpoint is lost and a snapshot has to come instead.
    async fn write(&mut self, batch: Arc<Batch>) -> Result<(), Fault> {
        self.status.change(|status| status.waiting_bytes = self.buffer.bytes());
        loop {
            let fault = match self.attempt(&batch).await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            match &fault {
                Fault::Fatal(_) => return Err(fault),
                Fault::Retry(reason) => self.failed(reason).await,
                Fault::Reopen(reason) => {
                    self.is_open = false;
                    if !batch.snapshot {
                        let dropped = self.buffer.give_up() + batch.rows() as u64;
                        self.status.change(|status| {
                            status.dropped += dropped;
                            status.restarts += 1;
                        });
                        self.failed(reason).await;
                        return Ok(());
                    }
                    self.failed(reason).await;
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &Arc<Batch>) -> Result<(), Fault> {
        if !self.is_open {
            self.endpoint.open(Arc::clone(&batch.shape)).await?;
            self.is_open = true;
        }
        let written = self.endpoint.write(Arc::clone(batch)).await?;
        self.backoff.reset();
        if written.begin_again {
            // Nothing is lost: the snapshot holds what waited.
            self.buffer.give_up();
        }
        self.status.change(|status| {
            status.phase = Phase::Running;
            status.frontier = batch.frontier;
            status.written += written.rows;
            status.dropped += written.dropped;
            match written.reason {
                Some(reason) => status.reason = reason,
                None if written.begin_again || self.buffer.is_wanted() => status.reason.clear(),
                // What waited was thrown away, which is still worth telling.
                None => (),
            }
        });
        Ok(())
    }

    async fn failed(&mut self, reason: &str) {
        self.status.change(|status| {
            status.phase = Phase::Retrying;
            status.retried += 1;
            reason.clone_into(&mut status.reason);
        });
        tokio::time::sleep(self.backoff.wait()).await;
    }
}
