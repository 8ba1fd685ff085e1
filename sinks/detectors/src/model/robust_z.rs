//! `robust_z`: deviations from the median of the last values, in their median absolute deviation.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::baseline::{Deviation, Learner, Memory, Normal, check_warmup};

/// Makes the median absolute deviation of normally distributed values their standard deviation.
const OF_NORMAL: f64 = 1.4826;
/// Longest window, in batches.
const LONGEST: usize = 10_000;

/// `[model] kind = "robust_z"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Batches that are remembered.
    pub window: usize,
    /// Batches before a subject has a score.
    pub warmup: u64,
    /// How values are compared.
    pub deviation: Deviation,
}

impl Default for Config {
    fn default() -> Self {
        Self { window: 360, warmup: 30, deviation: Deviation::default() }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        check_warmup(self.warmup)?;
        if self.window > LONGEST || (self.window as u64) < self.warmup {
            return Err(format!("`window` is between `warmup` ({}) and {LONGEST}, not {}", self.warmup, self.window));
        }
        self.deviation.check()
    }

    pub(super) fn learner(&self) -> RobustZ {
        RobustZ { window: self.window, warmup: self.warmup as usize }
    }
}

/// The last values of a feature.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Window(VecDeque<f32>);

impl Window {
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<f32>()
    }
}

/// The learner.
pub(super) struct RobustZ {
    window: usize,
    warmup: usize,
}

impl Learner for RobustZ {
    fn normal(&self, memory: Option<&Memory>, _time: i64) -> Option<Normal> {
        let Some(Memory::Window(Window(values))) = memory else { return None };
        if values.len() < self.warmup {
            return None;
        }
        let mut values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        let centre = median(&mut values);
        values.iter_mut().for_each(|value| *value = (*value - centre).abs());
        Some(Normal { centre, spread: OF_NORMAL * median(&mut values) })
    }

    fn learn(&self, memory: Option<Memory>, _time: i64, value: f64) -> Memory {
        let mut window = match memory {
            Some(Memory::Window(window)) => window,
            Some(_) | None => Window::default(),
        };
        while window.0.len() >= self.window {
            window.0.pop_front();
        }
        window.0.push_back(value as f32);
        Memory::Window(window)
    }
}

/// The median; reorders the values, of which there is at least one.
fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !even {
        return upper;
    }
    let lower = below.iter().copied().reduce(f64::max).unwrap_or(upper);
    f64::midpoint(lower, upper)
}
