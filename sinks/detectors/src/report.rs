//! How a detector is doing, for `watershed detector show`.

use std::collections::VecDeque;
use std::time::Duration;

/// Scores that the distribution is made of.
const SCORES: usize = 1024;

/// Why a detector does nothing any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// When, in nanoseconds since the epoch.
    pub time: i64,
    /// What happened, in one line.
    pub reason: String,
}

/// Counters and times of a detector.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Subjects remembered.
    pub subjects: usize,
    /// Flags that stand.
    pub flags: usize,
    /// Bytes of model and state, estimated.
    pub bytes: usize,
    /// Batches scored.
    pub batches: u64,
    /// CPU time of the last batch.
    pub last_batch: Duration,
    /// CPU time of the dearest batch.
    pub dearest_batch: Duration,
    /// CPU time of all batches.
    pub all_batches: Duration,
    /// Features that were no finite numbers, by subject and batch.
    pub unusable: u64,
    /// Subjects forgotten because there were too many.
    pub evicted: u64,
    /// Times it was suspended.
    pub errors: u64,
    /// Why it does nothing.
    pub suspended: Option<Suspension>,
    /// The last scores.
    pub scores: Distribution,
}

impl Report {
    pub(crate) fn took(&mut self, time: Duration) {
        self.batches += 1;
        self.last_batch = time;
        self.dearest_batch = self.dearest_batch.max(time);
        self.all_batches += time;
    }
}

/// The last scores, of whatever subject.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Distribution(VecDeque<f64>);

impl Distribution {
    pub(crate) fn add(&mut self, score: f64) {
        if self.0.len() == SCORES {
            self.0.pop_front();
        }
        self.0.push_back(score);
    }

    /// Values below which these shares of the scores are; empty without scores.
    #[must_use]
    pub fn quantiles(&self, shares: &[f64]) -> Vec<f64> {
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
        shares.iter().map(|share| sorted[(share * last as f64).round() as usize]).collect()
    }
}
