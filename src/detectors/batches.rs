//! When a batch is due: every so often in the time of ticks, so that a recording played fast gives the same batches.

use anyhow::Result;
use watershed_detectors::Manifest;

use super::rows::ViewRows;
use crate::rows::Event;

/// A view's rows, and the times of batches.
pub(super) struct Batches {
    every_ms: u64,
    last: Option<u64>,
    time: u64,
    changed: bool,
    rows: ViewRows,
}

/// A batch that is due.
pub(super) struct Due {
    /// The time that it was due (ms): batches are whole spans apart, though ticks are not.
    pub(super) time: u64,
    /// Whether rows changed since the batch before.
    pub(super) changed: bool,
}

impl Batches {
    pub(super) fn new(manifest: &Manifest) -> Self {
        let every_ms = (manifest.every.0.as_millis() as u64).max(1);
        Self { every_ms, last: None, time: 0, changed: true, rows: ViewRows::default() }
    }

    /// The rows at the last progress.
    pub(super) fn rows(&self) -> &ViewRows {
        &self.rows
    }

    /// The last progress (ms); 0 before the first tick.
    pub(super) fn time(&self) -> u64 {
        self.time
    }

    /// Takes the events of a snapshot in, of which no batch comes; false once it is complete.
    pub(super) fn prime(&mut self, event: Event) -> Result<bool> {
        match event {
            Event::Progress(time) => {
                self.time = time;
                Ok(false)
            }
            other => self.take(other).map(|_| true),
        }
    }

    /// Takes an event of the subscription in; the batch that is due after it.
    pub(super) fn take(&mut self, event: Event) -> Result<Option<Due>> {
        if let Event::Progress(time) = event {
            self.time = time;
        }
        match event {
            Event::Schema(_) => {}
            Event::Changes(changes) => {
                self.changed = true;
                self.rows.apply(&changes)?;
            }
            Event::Restart(_) => {
                self.changed = true;
                self.rows.clear();
            }
            // Before the first tick a view is empty at time 0.
            Event::Progress(0) => {}
            Event::Progress(time) if self.last.is_none_or(|last| last / self.every_ms < time / self.every_ms) => {
                self.last = Some(time);
                let time = time - time % self.every_ms;
                return Ok(Some(Due { time, changed: std::mem::take(&mut self.changed) }));
            }
            Event::Progress(_) => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
