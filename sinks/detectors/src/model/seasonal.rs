//! `seasonal`: deviations from what a value was in the same hour of the week before.

use serde::{Deserialize, Serialize};

use super::baseline::{Deviation, Learner, Memory, Normal, check_warmup};
use super::moments::Moments;

const HOUR_NS: i64 = 3_600_000_000_000;
const HOURS_OF_WEEK: i64 = 7 * 24;

/// `[model] kind = "seasonal"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Batches in an hour of the week before its values have a score a week later.
    pub warmup: u64,
    /// What the weeks before count when a week is added, between 0 and 1.
    pub keep: f64,
    /// How values are compared.
    pub deviation: Deviation,
}

impl Default for Config {
    fn default() -> Self {
        Self { warmup: 30, keep: 0.7, deviation: Deviation::default() }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        check_warmup(self.warmup)?;
        if !(0.0..=1.0).contains(&self.keep) {
            return Err(format!("`keep` is between 0 and 1, not {}", self.keep));
        }
        self.deviation.check()
    }

    pub(super) fn learner(&self) -> Seasonal {
        Seasonal { warmup: self.warmup, keep: self.keep }
    }
}

/// What is known of each hour of the week (UTC), and of the hour that is not over.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Week {
    /// By hour of the week, in order.
    hours: Vec<(u8, Moments)>,
    /// Hours since the epoch.
    open_hour: i64,
    open: Moments,
}

impl Week {
    pub(super) fn bytes(&self) -> usize {
        self.hours.capacity() * size_of::<(u8, Moments)>()
    }

    fn of(&self, hour: i64) -> Option<&Moments> {
        let of_week = of_week(hour);
        let at = self.hours.binary_search_by_key(&of_week, |(hour, _)| *hour).ok()?;
        Some(&self.hours[at].1)
    }

    /// Puts the hour that is over among the others.
    fn close(&mut self, keep: f64) {
        let open = std::mem::take(&mut self.open);
        if open.count == 0 {
            return;
        }
        let of_week = of_week(self.open_hour);
        match self.hours.binary_search_by_key(&of_week, |(hour, _)| *hour) {
            Ok(at) => self.hours[at].1 = self.hours[at].1.merged(&open, keep),
            Err(at) => self.hours.insert(at, (of_week, open)),
        }
    }
}

/// 0 to 167.
fn of_week(hour: i64) -> u8 {
    hour.rem_euclid(HOURS_OF_WEEK) as u8
}

/// The learner.
pub(super) struct Seasonal {
    warmup: u64,
    keep: f64,
}

impl Learner for Seasonal {
    fn normal(&self, memory: Option<&Memory>, time: i64) -> Option<Normal> {
        let Some(Memory::Week(week)) = memory else { return None };
        let moments = week.of(time.div_euclid(HOUR_NS)).filter(|moments| moments.count >= self.warmup)?;
        Some(Normal { centre: moments.mean, spread: moments.deviation() })
    }

    fn learn(&self, memory: Option<Memory>, time: i64, value: f64) -> Memory {
        let mut week = match memory {
            Some(Memory::Week(week)) => week,
            Some(_) | None => Week::default(),
        };
        let hour = time.div_euclid(HOUR_NS);
        if hour != week.open_hour {
            week.close(self.keep);
            week.open_hour = hour;
        }
        week.open.add(value, 0.0);
        Memory::Week(week)
    }
}
