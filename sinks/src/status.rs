//! How a sink is doing: the counters behind its row in `system.sinks`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Where a sink stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Connecting, or reading what the endpoint holds.
    Opening,
    /// Batches are taken.
    Running,
    /// The last attempt failed; another one follows.
    Retrying,
    /// It will not go on by itself.
    Failed,
    /// It was dropped, or the server ends.
    Stopped,
}

impl Phase {
    /// As shown in `system.sinks`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Phase::Opening => "opening",
            Phase::Running => "running",
            Phase::Retrying => "retrying",
            Phase::Failed => "failed",
            Phase::Stopped => "stopped",
        }
    }
}

/// A sink's counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Where it stands.
    pub phase: Phase,
    /// The last time (ms) that the endpoint has taken whole; 0 before the first.
    pub frontier: u64,
    /// The last time (ms) that the view has closed, as far as the sink was told.
    pub closed: u64,
    /// Records that the endpoint took.
    pub written: u64,
    /// Attempts that failed and were made again.
    pub retried: u64,
    /// Changes that the endpoint was never given: rows it refuses, and changes replaced by a snapshot.
    pub dropped: u64,
    /// Times that it fell behind, or lost track, and started again with a snapshot.
    pub restarts: u64,
    /// Bytes that wait for the endpoint.
    pub waiting_bytes: u64,
    /// What went wrong last, or why changes were dropped; empty when all is well.
    pub reason: String,
}

/// Shared by a sink's tasks and whoever shows them.
#[derive(Debug)]
pub struct Status {
    snapshot: Mutex<Snapshot>,
    phase: watch::Sender<Phase>,
}

impl Default for Status {
    fn default() -> Self {
        let snapshot = Snapshot {
            phase: Phase::Opening,
            frontier: 0,
            closed: 0,
            written: 0,
            retried: 0,
            dropped: 0,
            restarts: 0,
            waiting_bytes: 0,
            reason: String::new(),
        };
        Self { snapshot: Mutex::new(snapshot), phase: watch::channel(Phase::Opening).0 }
    }
}

impl Status {
    /// The counters.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Follows the phase.
    #[must_use]
    pub fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = self.lock();
        change(&mut snapshot);
        let phase = snapshot.phase;
        drop(snapshot);
        self.phase.send_if_modified(|known| std::mem::replace(known, phase) != phase);
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
