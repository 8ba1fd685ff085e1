//! What is remembered of each subject; bounded, the longest unseen goes first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Change;
use crate::flag::{Levels, Standing, Turn};
use crate::model::Memory;

/// What is remembered of one subject.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Subject {
    pub(super) last_seen: i64,
    pub(super) standing: Standing,
    pub(super) memory: Vec<Memory>,
}

/// All subjects by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Subjects(BTreeMap<String, Subject>);

impl Subjects {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn flagged(&self) -> usize {
        self.0.values().filter(|subject| subject.is_flagged()).count()
    }

    /// Whether somebody is suspected or flagged.
    pub(super) fn any_standing(&self) -> bool {
        self.0.values().any(|subject| subject.standing != Standing::Quiet)
    }

    /// Notes that a subject is in the view.
    pub(super) fn see(&mut self, name: &str, time: i64) {
        match self.0.get_mut(name) {
            Some(subject) => subject.last_seen = time,
            None => {
                self.0.insert(name.to_owned(), Subject { last_seen: time, ..Subject::default() });
            }
        }
    }

    /// Who is remembered but was not seen at this time.
    pub(super) fn absent(&self, time: i64) -> Vec<String> {
        self.0.iter().filter(|(_, subject)| subject.last_seen < time).map(|(name, _)| name.clone()).collect()
    }

    /// Lends what the model remembers of a subject.
    pub(super) fn lend(&mut self, name: &str) -> Vec<Memory> {
        self.0.get_mut(name).map(|subject| std::mem::take(&mut subject.memory)).unwrap_or_default()
    }

    /// Takes back what was lent.
    pub(super) fn give_back(&mut self, name: &str, memory: Vec<Memory>) {
        if let Some(subject) = self.0.get_mut(name) {
            subject.memory = memory;
        }
    }

    /// Takes a subject's score in; the turn, and the change that a cleared flag is.
    pub(super) fn turn(
        &mut self,
        name: &str,
        score: Option<f64>,
        time: i64,
        levels: &Levels,
    ) -> (Turn, Option<Change>) {
        let Some(subject) = self.0.get_mut(name) else { return (Turn::Same, None) };
        let turn = subject.standing.step(score, time, levels);
        (turn, (turn == Turn::Cleared).then(|| Change::Cleared(name.to_owned())))
    }

    /// Forgets who was last seen before a time.
    pub(super) fn forget_unseen(&mut self, before: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        self.0.retain(|name, subject| {
            let keep = subject.last_seen >= before;
            if !keep && subject.is_flagged() {
                changes.push(Change::Cleared(name.clone()));
            }
            keep
        });
        changes
    }

    /// Forgets the longest unseen beyond the limit.
    pub(super) fn forget_beyond(&mut self, limit: usize, evicted: &mut u64) -> Vec<Change> {
        let Some(excess) = self.0.len().checked_sub(limit).filter(|excess| *excess > 0) else { return Vec::new() };
        let mut by_age: Vec<(i64, String)> =
            self.0.iter().map(|(name, subject)| (subject.last_seen, name.clone())).collect();
        by_age.sort_unstable();
        by_age.truncate(excess);
        *evicted += excess as u64;
        let forgotten = by_age.into_iter().filter_map(|(_, name)| Some((self.0.remove(&name)?, name)));
        forgotten.filter(|(subject, _)| subject.is_flagged()).map(|(_, name)| Change::Cleared(name)).collect()
    }

    /// Takes all flags back.
    pub(super) fn clear_all(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, subject) in &mut self.0 {
            if subject.is_flagged() {
                changes.push(Change::Cleared(name.clone()));
            }
            subject.standing = Standing::Quiet;
        }
        changes
    }

    /// Forgets what models remember; flags stand.
    pub(super) fn unlearn(&mut self) {
        self.0.values_mut().for_each(|subject| subject.memory.clear());
    }

    /// After a restart no flag stands, but one that did is raised again with its time as soon as the score is above.
    pub(super) fn restart(&mut self) {
        for subject in self.0.values_mut() {
            if let Standing::Flagged { since } = subject.standing {
                subject.standing = Standing::Suspected { since };
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let memory = |memory: &Vec<Memory>| memory.iter().map(Memory::bytes).sum::<usize>();
        let subject = |(name, subject): (&String, &Subject)| {
            name.capacity() + size_of::<String>() + size_of::<Subject>() + memory(&subject.memory)
        };
        self.0.iter().map(subject).sum()
    }
}
