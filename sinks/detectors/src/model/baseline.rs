//! What `ewma`, `robust_z` and `seasonal` share: each feature has a normal value and a spread, and the score is the
//! largest deviation in spreads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::moments::Moments;
use super::robust_z::Window;
use super::seasonal::Week;
use super::{Item, Scorer, positions};
use crate::manifest::Manifest;

/// What is remembered of a subject's feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Memory {
    /// Of `ewma`: moments, and the time of the last value.
    Moving(Moments, i64),
    /// Of `robust_z`.
    Window(Window),
    /// Of `seasonal`.
    Week(Week),
    /// Of `novelty`: when the subject first came; the smallest time for who was there from the start.
    Since(i64),
}

impl Memory {
    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Memory::Moving(..) | Memory::Since(_) => 0,
                Memory::Window(window) => window.bytes(),
                Memory::Week(week) => week.bytes(),
            }
    }
}

/// Which way a feature may not deviate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More than usual is suspicious.
    #[default]
    Up,
    /// Less than usual is.
    Down,
    /// Both are.
    Both,
}

/// `[model.deviation]`: how a value is compared with what is normal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deviation {
    /// The features that are compared; all if none is named.
    pub of: Vec<String>,
    /// Which way is suspicious.
    pub direction: Direction,
    /// The spread is at least this, by feature: smaller wobbles are nothing.
    pub at_least: BTreeMap<String, f64>,
    /// The spread is at least this share of the normal value.
    pub at_least_share: f64,
}

impl Default for Deviation {
    fn default() -> Self {
        Self { of: Vec::new(), direction: Direction::Up, at_least: BTreeMap::new(), at_least_share: 0.1 }
    }
}

impl Deviation {
    pub(super) fn names(&self) -> Vec<&String> {
        self.of.iter().chain(self.at_least.keys()).collect()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let is_spread = |value: f64| value.is_finite() && value >= 0.0;
        if is_spread(self.at_least_share) && self.at_least.values().all(|value| is_spread(*value)) {
            return Ok(());
        }
        Err("deviation: `at_least` and `at_least_share` are not negative".to_owned())
    }
}

/// What a value normally is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Normal {
    /// The value.
    pub centre: f64,
    /// How far values usually are from it.
    pub spread: f64,
}

/// Learns what a single value normally is.
pub(super) trait Learner: Send {
    /// What the value normally is at a time, once enough is known.
    fn normal(&self, memory: Option<&Memory>, time: i64) -> Option<Normal>;
    /// Takes a value in.
    fn learn(&self, memory: Option<Memory>, time: i64, value: f64) -> Memory;
}

/// A scorer from a learner.
pub(super) struct Baseline<L> {
    learner: L,
    direction: Direction,
    compared: Vec<Compared>,
}

struct Compared {
    feature: usize,
    least: f64,
    least_share: f64,
}

/// Values further away than this many spreads are learned as if they were there, so that a fault does not become
/// normal at once.
const LEARNED_SPREADS: f64 = 3.0;
/// No spread is smaller, or a constant would make every wobble infinite.
const LEAST_SPREAD: f64 = 1e-9;

impl<L: Learner> Baseline<L> {
    pub(super) fn new(learner: L, deviation: &Deviation, manifest: &Manifest) -> Self {
        let compared = |feature: usize| Compared {
            feature,
            least: deviation.at_least.get(&manifest.features[feature]).copied().unwrap_or(0.0).max(LEAST_SPREAD),
            least_share: deviation.at_least_share,
        };
        let compared = positions(&deviation.of, manifest).into_iter().map(compared).collect();
        Self { learner, direction: deviation.direction, compared }
    }

    fn score_one(&self, item: &mut Item<'_>) {
        let mut memory = std::mem::take(item.memory).into_iter();
        for compared in &self.compared {
            let value = f64::from(item.features[compared.feature]);
            let known = memory.next();
            let mut learned = value;
            if let Some(normal) = self.learner.normal(known.as_ref(), item.time) {
                let spread = normal.spread.max(compared.least).max(compared.least_share * normal.centre.abs());
                let distance = (value - normal.centre) / spread;
                let score = match self.direction {
                    Direction::Up => distance,
                    Direction::Down => -distance,
                    Direction::Both => distance.abs(),
                };
                item.score = Some(item.score.map_or(score, |before| before.max(score)));
                item.baseline[compared.feature] = Some(normal.centre);
                learned =
                    value.clamp(normal.centre - LEARNED_SPREADS * spread, normal.centre + LEARNED_SPREADS * spread);
            }
            item.memory.push(self.learner.learn(known, item.time, learned));
        }
    }
}

impl<L: Learner> Scorer for Baseline<L> {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        for item in items {
            self.score_one(item);
        }
        Ok(())
    }
}

/// What learned so few values knows nothing yet.
pub(super) fn check_warmup(warmup: u64) -> Result<(), String> {
    if warmup >= 2 { Ok(()) } else { Err(format!("`warmup` is at least 2 batches, not {warmup}")) }
}
