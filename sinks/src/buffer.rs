//! The bounded queue between following a view and writing to an endpoint. Whoever is told that it is full lets go of the
//! view; the next thing that goes in is a snapshot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::endpoint::Batch;

/// Batches on their way.
#[derive(Debug)]
pub(crate) struct Buffer {
    most_bytes: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// Whether the view is to be followed.
    wanted: bool,
    /// Which subscription is wanted: one more each time that what waits is thrown away.
    epoch: u64,
}

impl State {
    fn clear(&mut self) -> u64 {
        let rows: usize = self.batches.iter().map(|batch| batch.rows()).sum();
        *self = Self { epoch: self.epoch + 1, ..Self::default() };
        rows as u64
    }

    fn take(&mut self, joined_bytes: usize) -> Option<Arc<Batch>> {
        let mut joined = self.take_first(|_| true)?;
        while let Some(next) = self.take_first(|next| can_join(&joined, next, joined_bytes)) {
            Arc::make_mut(&mut joined).join(&next);
        }
        Some(joined)
    }

    fn take_first(&mut self, is_wanted: impl FnOnce(&Batch) -> bool) -> Option<Arc<Batch>> {
        let batch = self.batches.pop_front_if(|batch| is_wanted(batch))?;
        self.bytes -= batch.bytes().min(self.bytes);
        Some(batch)
    }
}

/// Whether two batches are one after the other of the same subscription, and together not too large.
fn can_join(batch: &Batch, next: &Batch, most_bytes: usize) -> bool {
    let are_deltas = !batch.snapshot && !next.snapshot && Arc::ptr_eq(&batch.shape, &next.shape);
    are_deltas && batch.bytes() + next.bytes() <= most_bytes
}

/// Why a batch was not taken; the subscription has to be let go of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no room; so many rows were thrown away.
    Full(u64),
    /// What the subscription leads up to was thrown away.
    Stale,
}

impl Buffer {
    pub(crate) fn new(most_bytes: usize) -> Self {
        let state = State { wanted: true, ..State::default() };
        Self { most_bytes, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Adds a batch. When there is no room, what waits and the batch are thrown away and nothing is wanted until the
    /// writer has caught up. A batch that is larger than the bound passes alone.
    pub(crate) fn push(&self, epoch: u64, batch: Batch) -> Result<(), Refusal> {
        let mut state = self.lock();
        if state.epoch != epoch {
            return Err(Refusal::Stale);
        }
        let (bytes, rows) = (batch.bytes(), batch.rows());
        let is_mark = rows == 0 && !batch.snapshot;
        if is_mark && let Some(last) = state.batches.back_mut() {
            // Nothing happened since the last one: only its frontier moves.
            Arc::make_mut(last).frontier = batch.frontier;
            return Ok(());
        }
        if !state.batches.is_empty() && state.bytes + bytes > self.most_bytes {
            self.changed.notify_waiters();
            return Err(Refusal::Full(state.clear() + rows as u64));
        }
        state.bytes += bytes;
        state.batches.push_back(Arc::new(batch));
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Whether a batch of so many bytes would still fit.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.lock().bytes + bytes <= self.most_bytes
    }

    /// Throws away what waits and asks for nothing more; the rows thrown away.
    pub(crate) fn give_up(&self) -> u64 {
        let rows = self.lock().clear();
        self.changed.notify_waiters();
        rows
    }

    /// The next batch, joined with those behind it up to so many bytes. With nothing waiting and nothing on its way, it
    /// asks for a snapshot.
    pub(crate) async fn pop(&self, joined_bytes: usize) -> Arc<Batch> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut state = self.lock();
                if let Some(batch) = state.take(joined_bytes) {
                    return batch;
                }
                if !state.wanted {
                    state.wanted = true;
                    self.changed.notify_waiters();
                }
            }
            changed.await;
        }
    }

    /// The next batch if one waits, as [`Buffer::pop`] gives it.
    pub(crate) fn try_pop(&self, joined_bytes: usize) -> Option<Arc<Batch>> {
        self.lock().take(joined_bytes)
    }

    /// Waits until the view is to be followed; the number of the subscription.
    pub(crate) async fn wanted(&self) -> u64 {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.lock();
                if state.wanted {
                    return state.epoch;
                }
            }
            changed.await;
        }
    }

    /// Waits until what a subscription leads up to was thrown away.
    pub(crate) async fn stale(&self, epoch: u64) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.lock().epoch != epoch {
                return;
            }
            changed.await;
        }
    }

    /// Whether a subscription is followed or will be.
    pub(crate) fn is_wanted(&self) -> bool {
        self.lock().wanted
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes as u64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
