//! What was lost since the last tick, by source and reason, from any thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use watershed_model::Loss;

/// Distinct pairs of source and reason that are kept apart; others are counted under `other`.
const MAX_KINDS: usize = 1024;

/// Rows and bytes by source and reason.
type Counts = BTreeMap<(String, String), (i64, i64)>;

/// A shared counter of losses.
#[derive(Clone, Default)]
pub(crate) struct Losses {
    counts: Arc<Mutex<Counts>>,
}

impl Losses {
    /// Adds a loss.
    pub(crate) fn add(&self, source: &str, reason: &str, count: i64, bytes: i64) {
        let mut counts = self.counts.lock().expect("no thread panics while it holds the lock");
        let mut kind = (source.to_owned(), reason.to_owned());
        if counts.len() >= MAX_KINDS && !counts.contains_key(&kind) {
            kind = ("other".to_owned(), "other".to_owned());
        }
        let entry = counts.entry(kind).or_default();
        entry.0 = entry.0.saturating_add(count);
        entry.1 = entry.1.saturating_add(bytes);
    }

    /// Takes what was added since the call before.
    pub(crate) fn take(&self) -> Vec<Loss> {
        let mut counts = self.counts.lock().expect("no thread panics while it holds the lock");
        std::mem::take(&mut *counts)
            .into_iter()
            .map(|((source, reason), (count, bytes))| Loss { source, reason, count, bytes })
            .collect()
    }
}
