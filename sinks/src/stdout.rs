//! The server's standard output as an endpoint: the lines of a subscription.

use std::io::Write as _;
use std::sync::Arc;

use serde::Deserialize;

use crate::endpoint::{Batch, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::lines;

/// `[stdout]` of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdoutSettings {}

/// Standard output.
#[derive(Debug)]
pub(crate) struct Stdout;

impl Endpoint for Stdout {
    fn open(&mut self, _: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(async move {
            let rows = batch.rows() as u64;
            let written = tokio::task::spawn_blocking(move || {
                let mut output = std::io::stdout().lock();
                output.write_all(lines::of_batch(&batch).as_bytes()).and_then(|()| output.flush())
            });
            match written.await {
                Ok(Ok(())) => Ok(Written { rows, ..Written::default() }),
                // Lines may have been torn, so what follows must stand by itself.
                Ok(Err(error)) => Err(Fault::Reopen(format!("standard output: {error}"))),
                Err(error) => Err(Fault::Reopen(format!("standard output: {error}"))),
            }
        })
    }
}
