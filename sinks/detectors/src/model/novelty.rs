//! `novelty`: subjects that were never seen before. The score is 1 when one appears and falls to 0 while it is fresh.
//! Whoever is there until no new subject has come for some time is learned without a score.

use serde::{Deserialize, Serialize};

use super::{Item, Memory, Scorer};
use crate::quantities::Span;

/// `[model] kind = "novelty"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Learning is over when no new subject has come for so long.
    pub learn: Span,
    /// A subject is new for so long.
    pub fresh: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self { learn: Span::seconds(90), fresh: Span::seconds(300) }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.fresh.0.is_zero() { Err("`fresh` is longer than 0s".to_owned()) } else { Ok(()) }
    }
}

/// The scorer.
#[derive(Debug)]
pub(super) struct Novelty {
    learn: i64,
    fresh: i64,
    learning: Learning,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Learning {
    /// When the last new subject came.
    last_new: Option<i64>,
    over: bool,
}

impl Novelty {
    pub(super) fn new(config: &Config) -> Self {
        let (learn, fresh) = (config.learn.as_nanoseconds(), config.fresh.as_nanoseconds());
        Self { learn, fresh, learning: Learning::default() }
    }
}

impl Scorer for Novelty {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        let Some(time) = items.first().map(|item| item.time) else { return Ok(()) };
        self.learning.over |= self.learning.last_new.is_some_and(|last| time - last >= self.learn);
        for item in items {
            let since = match item.memory.first() {
                Some(Memory::Since(since)) => *since,
                Some(_) | None => {
                    self.learning.last_new = Some(time);
                    let since = if self.learning.over { time } else { i64::MIN };
                    *item.memory = vec![Memory::Since(since)];
                    since
                }
            };
            let age = time.saturating_sub(since);
            item.score = Some((1.0 - age as f64 / self.fresh as f64).max(0.0));
        }
        Ok(())
    }

    fn learned(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self.learning).ok()
    }

    fn recall(&mut self, learned: serde_json::Value) {
        self.learning = serde_json::from_value(learned).unwrap_or_default();
    }
}
