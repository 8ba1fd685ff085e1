//! `ewma`: deviations from an exponentially weighted moving mean, in its standard deviations.

use serde::Deserialize;

use super::baseline::{Deviation, Learner, Memory, Normal, check_warmup};
use super::moments::Moments;
use crate::quantities::Span;

/// `[model] kind = "ewma"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// After so long a value counts half.
    pub half_life: Span,
    /// Batches before a subject has a score.
    pub warmup: u64,
    /// How values are compared.
    pub deviation: Deviation,
}

impl Default for Config {
    fn default() -> Self {
        Self { half_life: Span::seconds(600), warmup: 30, deviation: Deviation::default() }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.half_life.0.is_zero() {
            return Err("`half_life` is longer than 0s".to_owned());
        }
        check_warmup(self.warmup)?;
        self.deviation.check()
    }

    pub(super) fn learner(&self) -> Ewma {
        Ewma { half_life: self.half_life.as_nanoseconds() as f64, warmup: self.warmup }
    }
}

/// The learner.
pub(super) struct Ewma {
    half_life: f64,
    warmup: u64,
}

impl Learner for Ewma {
    fn normal(&self, memory: Option<&Memory>, _time: i64) -> Option<Normal> {
        let Some(Memory::Moving(moments, _)) = memory else { return None };
        let is_known = moments.count >= self.warmup;
        is_known.then(|| Normal { centre: moments.mean, spread: moments.deviation() })
    }

    fn learn(&self, memory: Option<Memory>, time: i64, value: f64) -> Memory {
        let Some(Memory::Moving(mut moments, last)) = memory else {
            let mut moments = Moments::default();
            moments.add(value, 1.0);
            return Memory::Moving(moments, time);
        };
        let passed = (time - last).max(0) as f64;
        moments.add(value, 1.0 - (-passed / self.half_life).exp2());
        Memory::Moving(moments, time)
    }
}
