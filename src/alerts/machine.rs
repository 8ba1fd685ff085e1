//! When rows that come and go are alerts: no clock and no I/O, only the times at which the view was closed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Alerts of a script that can stand, or wait, at a time; later ones are not seen until there is room.
const SUBJECTS_MAX: usize = 10_000;
/// Cleared alerts of a script that are kept.
const CLEARED_MAX: usize = 100;
/// How long an alert of an earlier run stands at least without its row, while tables fill again.
const RESTORED_MS: u64 = 60_000;

/// An alert as it is shown. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alert {
    pub(super) subject: String,
    pub(super) row: String,
    pub(super) since: u64,
    pub(super) raised: u64,
    /// `None` while it stands.
    pub(super) cleared: Option<u64>,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Raised(Alert),
    Cleared(Alert),
}

/// What a closed time changed: rows of the table that go and come, and what is to be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) changes: Vec<(Alert, i64)>,
    pub(super) events: Vec<Event>,
}

/// The alerts of one script.
#[derive(Debug, Default)]
pub(super) struct Machine {
    raise_after_ms: u64,
    clear_after_ms: u64,
    /// The view's rows by subject, with their multiplicities.
    present: BTreeMap<String, BTreeMap<String, i64>>,
    standing: BTreeMap<String, Standing>,
    cleared: VecDeque<Alert>,
    /// Subjects that there was no room for, ever.
    pub(super) dropped: u64,
}

#[derive(Debug)]
struct Standing {
    row: String,
    since: u64,
    /// When it was raised, if it was.
    raised: Option<u64>,
    /// Since when its row has been gone.
    gone: Option<u64>,
    /// It is of an earlier run, and its row was not seen in this one.
    is_restored: bool,
}

impl Machine {
    /// Sets how long rows must stand and be gone.
    pub(super) fn configure(&mut self, raise_after: Duration, clear_after: Duration) {
        self.raise_after_ms = raise_after.as_millis() as u64;
        self.clear_after_ms = clear_after.as_millis() as u64;
    }

    /// The alerts of an earlier run, with those that were cleared; they are told to nobody again.
    pub(super) fn restore(&mut self, alerts: Vec<Alert>) -> Outcome {
        let mut outcome = Outcome::default();
        for alert in alerts {
            if alert.cleared.is_some() && self.cleared.len() < CLEARED_MAX {
                self.cleared.push_back(alert.clone());
            } else if alert.cleared.is_none() && self.standing.len() < SUBJECTS_MAX {
                let Alert { subject, row, since, raised, .. } = alert.clone();
                let standing = Standing { row, since, raised: Some(raised), gone: None, is_restored: true };
                self.standing.insert(subject, standing);
            } else {
                self.dropped += 1;
                continue;
            }
            outcome.changes.push((alert, 1));
        }
        outcome
    }

    /// What [`Machine::restore`] takes in a later run.
    pub(super) fn alerts(&self) -> Vec<Alert> {
        let standing = self.standing.iter().filter_map(|(subject, standing)| standing.shown(subject));
        self.cleared.iter().cloned().chain(standing).collect()
    }

    /// A row's multiplicity changes.
    pub(super) fn update(&mut self, subject: &str, row: String, diff: i64) {
        let rows = self.present.entry(subject.to_owned()).or_default();
        *rows.entry(row).or_default() += diff;
        rows.retain(|_, count| *count != 0);
        if rows.is_empty() {
            self.present.remove(subject);
        }
    }

    /// Forgets the view's rows, before a new snapshot of them; alerts that stand do so still.
    pub(super) fn restart(&mut self) {
        self.present.clear();
    }

    /// All updates up to a time are there.
    pub(super) fn close(&mut self, time: u64) -> Outcome {
        let mut outcome = Outcome::default();
        self.take_present(time, &mut outcome);
        let present = &self.present;
        let gone: Vec<_> = self.standing.keys().filter(|subject| !present.contains_key(*subject)).cloned().collect();
        for subject in gone {
            self.take_gone(&subject, time, &mut outcome);
        }
        outcome
    }

    /// The script is an alert no longer: all that stand are cleared.
    pub(super) fn end(&mut self, time: u64) -> Outcome {
        self.clear_after_ms = 0;
        self.standing.values_mut().for_each(|standing| standing.is_restored = false);
        self.present.clear();
        let mut outcome = self.close(time);
        outcome.changes.extend(self.cleared.drain(..).map(|alert| (alert, -1)));
        outcome
    }

    fn take_present(&mut self, time: u64, outcome: &mut Outcome) {
        for (subject, rows) in &self.present {
            // Of several rows of one subject the largest is shown; which one only must not depend on their order.
            let Some((row, _)) = rows.iter().rev().find(|(_, count)| **count > 0) else { continue };
            if !self.standing.contains_key(subject) {
                if self.standing.len() >= SUBJECTS_MAX {
                    self.dropped += 1;
                    continue;
                }
                let standing = Standing { row: row.clone(), since: time, raised: None, gone: None, is_restored: false };
                self.standing.insert(subject.clone(), standing);
            }
            let Some(standing) = self.standing.get_mut(subject) else { continue };
            standing.gone = None;
            standing.is_restored = false;
            let before = standing.shown(subject);
            standing.row.clone_from(row);
            if standing.raised.is_none() && time.saturating_sub(standing.since) >= self.raise_after_ms {
                standing.raised = Some(time);
                outcome.events.extend(standing.shown(subject).map(Event::Raised));
            }
            let after = standing.shown(subject);
            if before != after {
                outcome.changes.extend(before.map(|alert| (alert, -1)));
                outcome.changes.extend(after.map(|alert| (alert, 1)));
            }
        }
    }

    fn take_gone(&mut self, subject: &str, time: u64, outcome: &mut Outcome) {
        let Some(standing) = self.standing.get_mut(subject) else { return };
        let gone = *standing.gone.get_or_insert(time);
        let Some(alert) = standing.shown(subject) else {
            self.standing.remove(subject);
            return;
        };
        let patience = if standing.is_restored { RESTORED_MS } else { 0 };
        if time.saturating_sub(gone) < self.clear_after_ms.max(patience) {
            return;
        }
        self.standing.remove(subject);
        let cleared = Alert { cleared: Some(time), ..alert.clone() };
        outcome.changes.extend([(alert, -1), (cleared.clone(), 1)]);
        outcome.events.push(Event::Cleared(cleared.clone()));
        self.cleared.push_back(cleared);
        if self.cleared.len() > CLEARED_MAX {
            outcome.changes.extend(self.cleared.pop_front().map(|oldest| (oldest, -1)));
        }
    }
}

impl Standing {
    /// The alert, once it was raised.
    fn shown(&self, subject: &str) -> Option<Alert> {
        let raised = self.raised?;
        let (subject, row) = (subject.to_owned(), self.row.clone());
        Some(Alert { subject, row, since: self.since, raised, cleared: None })
    }
}

#[cfg(test)]
mod tests;
