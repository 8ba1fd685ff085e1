//! A detector at work: batches of features in, flags raised and cleared out. What goes wrong suspends it.

mod checkpoint;
mod subjects;
mod trial;

use std::time::Duration;

pub use checkpoint::Checkpoint;
use subjects::{Subject, Subjects};
pub use trial::trial;

use crate::flag::Turn;
use crate::manifest::{Absent, Manifest};
use crate::model::{self, Item, Scorer};
use crate::report::{Report, Suspension};

/// The features of a subject, in the manifest's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Its name.
    pub subject: String,
    /// As many as the manifest names.
    pub features: Vec<f32>,
}

/// A flag as it is raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// Who.
    pub subject: String,
    /// Since when the score was above, in nanoseconds since the epoch.
    pub since: i64,
    /// The score that raised it.
    pub score: f64,
    /// The level that it is above.
    pub threshold: f64,
    /// One sentence for users.
    pub reason: String,
    /// Features in the manifest's order.
    pub features: Vec<f32>,
    /// What each feature normally is, if the model knows.
    pub baseline: Vec<Option<f64>>,
}

/// What a batch changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A flag stands.
    Raised(Raised),
    /// A subject's flag is gone.
    Cleared(String),
}

/// A detector's model and state.
pub struct Detector {
    manifest: Manifest,
    scorer: Box<dyn Scorer>,
    subjects: Subjects,
    report: Report,
    /// Time of the first batch since the start.
    started: Option<i64>,
}

impl Detector {
    /// A detector that knows nothing yet.
    #[must_use]
    pub fn new(manifest: Manifest, scorer: Box<dyn Scorer>) -> Self {
        Self { manifest, scorer, subjects: Subjects::default(), report: Report::default(), started: None }
    }

    /// What it watches and how.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How it is doing.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.report.clone();
        report.subjects = self.subjects.len();
        report.flags = self.subjects.flagged();
        report.bytes = self.bytes();
        report
    }

    /// Whether time alone may raise or clear a flag: batches are due though nothing changed.
    #[must_use]
    pub fn is_pending(&self, time: i64) -> bool {
        self.report.suspended.is_none() && (self.is_settling(time) || self.subjects.any_standing())
    }

    /// Stops it for good, with the reason; its flags go.
    pub fn suspend(&mut self, time: i64, reason: String) -> Vec<Change> {
        self.report.errors += 1;
        self.report.suspended = Some(Suspension { time, reason });
        self.subjects.clear_all()
    }

    /// Scores a batch. `time` does not go back; `clock` tells CPU time spent, for the budget. A suspended detector does
    /// nothing.
    pub fn batch(&mut self, time: i64, observations: Vec<Observation>, clock: &dyn Fn() -> Duration) -> Vec<Change> {
        if self.report.suspended.is_some() {
            return Vec::new();
        }
        self.started.get_or_insert(time);
        if self.is_settling(time) {
            return Vec::new();
        }
        let before = clock();
        let mut changes = self.subjects.forget_unseen(time - self.manifest.state.max_age.as_nanoseconds());
        let (scored, unscored) = self.choose(time, observations);
        let took = || clock().saturating_sub(before);
        match self.score(time, &scored, &took) {
            Ok(verdicts) => {
                for (observation, verdict) in scored.into_iter().zip(verdicts) {
                    changes.extend(self.turn(time, observation, verdict));
                }
            }
            Err(reason) => {
                self.report.took(took());
                changes.extend(self.suspend(time, reason));
                return changes;
            }
        }
        for subject in unscored {
            changes.extend(self.subjects.turn(&subject, None, time, &self.manifest.levels()).1);
        }
        changes.extend(self.subjects.forget_beyond(self.manifest.state.subjects, &mut self.report.evicted));
        self.report.took(took());
        if let Some(reason) = self.exceeded() {
            changes.extend(self.suspend(time, reason));
        }
        changes
    }

    /// Goes on with another manifest and model; what was learned stays when they see the same. The flags that
    /// stand are raised again by the next batch.
    pub fn swap(&mut self, manifest: Manifest, scorer: Box<dyn Scorer>) {
        let learned = self.scorer.learned();
        let sees_the_same = sees_the_same(&self.manifest, &manifest);
        self.manifest = manifest;
        self.scorer = scorer;
        self.report.suspended = None;
        match learned {
            Some(learned) if sees_the_same => self.scorer.recall(learned),
            Some(_) | None => {}
        }
        if !sees_the_same {
            self.subjects.unlearn();
        }
        self.subjects.restart();
    }

    /// Goes on with another version of the same model: flags stand, what is remembered of subjects stays, and a
    /// suspended detector works again.
    pub fn renew(&mut self, mut scorer: Box<dyn Scorer>) {
        if let Some(learned) = self.scorer.learned() {
            scorer.recall(learned);
        }
        self.scorer = scorer;
        self.report.suspended = None;
    }

    fn is_settling(&self, time: i64) -> bool {
        let settle = self.manifest.state.settle.as_nanoseconds();
        settle > 0 && self.started.is_none_or(|started| time - started < settle)
    }

    /// Who has a score, and who has none.
    fn choose(&mut self, time: i64, observations: Vec<Observation>) -> (Vec<Observation>, Vec<String>) {
        let mut scored = Vec::with_capacity(observations.len());
        let mut unscored = Vec::new();
        for observation in observations {
            self.subjects.see(&observation.subject, time);
            if self.is_enough(&observation.features) {
                scored.push(observation);
            } else {
                unscored.push(observation.subject);
            }
        }
        for subject in self.subjects.absent(time) {
            match self.manifest.state.absent {
                Absent::Unknown => unscored.push(subject),
                Absent::Zero => scored.push(Observation { subject, features: vec![0.0; self.manifest.features.len()] }),
            }
        }
        (scored, unscored)
    }

    fn is_enough(&mut self, features: &[f32]) -> bool {
        if !self.manifest.is_usable(features) {
            self.report.unusable += 1;
        }
        self.manifest.is_enough(features)
    }

    fn score(
        &mut self,
        time: i64,
        observations: &[Observation],
        took: &dyn Fn() -> Duration,
    ) -> Result<Vec<Verdict>, String> {
        let mut memories: Vec<_> =
            observations.iter().map(|observation| self.subjects.lend(&observation.subject)).collect();
        let width = self.manifest.features.len();
        let mut items: Vec<Item<'_>> = Vec::with_capacity(observations.len());
        for (Observation { features, .. }, memory) in observations.iter().zip(&mut memories) {
            items.push(Item { time, features, memory, score: None, baseline: vec![None; width] });
        }
        trial::run(self.scorer.as_mut(), &mut items, &|| too_long(&self.manifest, took()))?;
        let verdict = |item: Item<'_>| Verdict { score: item.score, baseline: item.baseline };
        let verdicts: Vec<Verdict> = items.into_iter().map(verdict).collect();
        for (observation, memory) in observations.iter().zip(memories) {
            self.subjects.give_back(&observation.subject, memory);
        }
        for (observation, verdict) in observations.iter().zip(&verdicts) {
            trial::check(&observation.subject, verdict.score)?;
            if let Some(score) = verdict.score {
                self.report.scores.add(score);
            }
        }
        Ok(verdicts)
    }

    fn turn(&mut self, time: i64, observation: Observation, verdict: Verdict) -> Option<Change> {
        let levels = self.manifest.levels();
        match self.subjects.turn(&observation.subject, verdict.score, time, &levels) {
            (Turn::Raised { since }, _) => {
                let score = verdict.score.unwrap_or_default();
                let reason = crate::reason::reason(&self.manifest, &observation.features, &verdict.baseline, score);
                Some(Change::Raised(Raised {
                    subject: observation.subject,
                    since,
                    score,
                    threshold: levels.above,
                    reason,
                    features: observation.features,
                    baseline: verdict.baseline,
                }))
            }
            (Turn::Same | Turn::Cleared, change) => change,
        }
    }

    fn bytes(&self) -> usize {
        self.scorer.bytes() + self.subjects.bytes()
    }

    fn exceeded(&self) -> Option<String> {
        exceeds(&self.manifest, self.report.last_batch, self.bytes())
    }
}

/// What of the budget a batch of this time with so many bytes exceeds.
fn exceeds(manifest: &Manifest, time: Duration, bytes: usize) -> Option<String> {
    let (budget, bytes) = (manifest.budget.memory, bytes as u64);
    let memory = crate::quantities::Bytes(bytes);
    too_long(manifest, time)
        .or_else(|| (bytes > budget.0).then(|| format!("it holds {memory}, its budget is {budget}")))
}

/// Says so if a batch may not take this long.
fn too_long(manifest: &Manifest, time: Duration) -> Option<String> {
    let budget = manifest.budget.time_per_batch;
    (time > budget.0).then(|| format!("a batch took {time:?}, its budget is {budget}"))
}

struct Verdict {
    score: Option<f64>,
    baseline: Vec<Option<f64>>,
}

/// Whether what was learned under one manifest holds under the other.
fn sees_the_same(before: &Manifest, after: &Manifest) -> bool {
    before.view == after.view
        && before.script == after.script
        && before.subject == after.subject
        && before.features == after.features
        && model::remembers_alike(&before.model, &after.model)
}

impl Subject {
    fn is_flagged(&self) -> bool {
        self.standing.is_flagged()
    }
}

pub mod guard;

#[cfg(test)]
mod tests;
