//! Requests, errors and durations of services as counters: what came in ten seconds is added once these are settled.
//! The number of series is bounded.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::api::labels;

/// Upper bounds of the buckets of durations (ns).
pub(super) const BOUNDS: [u64; 13] = [
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
/// What is summed up in one step (ms).
pub(super) const STEP: u64 = 10_000;
/// Names and late exchanges are waited for this long (ms) after a step.
const SETTLING: u64 = 5_000;
/// Rows leave the view when they are older (ms); a step that has begun to leave is not corrected any more.
const FRESH: u64 = 45_000;
/// Endpoints with series of their own; further ones are summed up as `other` of their service.
const MOST_ENDPOINTS: usize = 500;
/// Series in all; what is beyond is one.
const MOST_SERIES: usize = 1_000;
const OTHER: &str = "other";

/// Whose counters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) responder: String,
    pub(super) protocol: String,
    pub(super) endpoint: String,
}

/// Counts; `within` are requests at most as long as each of [`BOUNDS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) requests: i64,
    pub(super) errors: i64,
    pub(super) latency_ns: i64,
    pub(super) within: [i64; BOUNDS.len()],
}

/// The counters, and what is not settled yet.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// By the step's begin (ms).
    unsettled: BTreeMap<(u64, Series), Counts>,
    /// Steps that begin before this were added.
    settled: u64,
    totals: BTreeMap<Series, Counts>,
    corrections: u64,
}

impl Counts {
    fn add(&mut self, other: &Self, times: i64) {
        self.requests += times * other.requests;
        self.errors += times * other.errors;
        self.latency_ns = self.latency_ns.saturating_add(times.saturating_mul(other.latency_ns));
        for (sum, within) in self.within.iter_mut().zip(other.within) {
            *sum += times * within;
        }
    }
}

impl Counters {
    /// At `time` the counts of a series in the step that begins at `step` changed.
    pub(super) fn change(&mut self, time: u64, step: u64, series: Series, counts: &Counts, diff: i64) {
        if step < self.settled {
            let is_leaving = step + FRESH < time;
            if diff > 0 && !is_leaving {
                self.corrections += 1;
            }
            return;
        }
        let sum = self.unsettled.entry((step, series)).or_default();
        sum.add(counts, diff);
    }

    /// The view is whole up to `time`: adds the steps that are settled.
    pub(super) fn close(&mut self, time: u64) {
        while let Some(first) = self.unsettled.first_entry() {
            let step = first.key().0;
            if step + STEP + SETTLING > time {
                return;
            }
            let ((_, series), counts) = first.remove_entry();
            self.settled = step + 1;
            let series = self.bounded(series);
            self.totals.entry(series).or_default().add(&counts, 1);
        }
    }

    /// The view begins again.
    pub(super) fn restart(&mut self) {
        self.unsettled.clear();
    }

    fn bounded(&self, series: Series) -> Series {
        if self.totals.contains_key(&series) || self.totals.len() < MOST_ENDPOINTS {
            return series;
        }
        let service = Series { endpoint: OTHER.to_owned(), ..series };
        if self.totals.contains_key(&service) || self.totals.len() < MOST_SERIES {
            return service;
        }
        Series { responder: OTHER.to_owned(), protocol: OTHER.to_owned(), endpoint: OTHER.to_owned() }
    }

    /// As Prometheus text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.counter(&mut text, "requests", "Exchanges that a service answered.", |counts| counts.requests);
        self.counter(&mut text, "request_errors", "Exchanges that a service answered with an error.", |counts| {
            counts.errors
        });
        self.durations(&mut text);
        head(&mut text, "request_corrections_total", "counter", "Changes that came after their time was counted.");
        writeln!(text, "watershed_request_corrections_total {}", self.corrections).expect("text grows");
        text
    }

    fn counter(&self, text: &mut String, name: &str, help: &str, value: fn(&Counts) -> i64) {
        head(text, &format!("{name}_total"), "counter", help);
        for (series, counts) in &self.totals {
            writeln!(text, "watershed_{name}_total{} {}", series.labels(None), value(counts)).expect("text grows");
        }
    }

    fn durations(&self, text: &mut String) {
        let name = "request_duration_seconds";
        head(text, name, "histogram", "How long services took.");
        for (series, counts) in &self.totals {
            let mut bucket = |bound: &str, within: i64| {
                let labels = series.labels(Some(bound));
                writeln!(text, "watershed_{name}_bucket{labels} {within}").expect("text grows");
            };
            for (bound, within) in BOUNDS.iter().zip(counts.within) {
                bucket(&seconds(*bound as f64).to_string(), within);
            }
            bucket("+Inf", counts.requests);
            let (labels, sum) = (series.labels(None), seconds(counts.latency_ns as f64));
            writeln!(text, "watershed_{name}_sum{labels} {sum}").expect("text grows");
            writeln!(text, "watershed_{name}_count{labels} {}", counts.requests).expect("text grows");
        }
    }
}

impl Series {
    fn labels(&self, bound: Option<&str>) -> String {
        let mut pairs = vec![
            ("responder", self.responder.as_str()),
            ("protocol", self.protocol.as_str()),
            ("endpoint", self.endpoint.as_str()),
        ];
        pairs.extend(bound.map(|bound| ("le", bound)));
        labels(&pairs)
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(text, "# HELP watershed_{name} {help}\n# TYPE watershed_{name} {kind}").expect("text grows");
}

fn seconds(ns: f64) -> f64 {
    ns / 1e9
}

#[cfg(test)]
mod tests;
