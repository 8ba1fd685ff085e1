//! Changes of rows as records of a topic, and back. Pure.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::iter::repeat_n;

use serde::Deserialize;
use serde_json::value::RawValue;
use watershed_model::json::quote;

use crate::manifest::Identity;

/// How a topic holds a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Each change is an envelope with the row before and after.
    Changes,
    /// Each key's row is its last value; none when it has left.
    Upsert,
}

/// A row as JSON, its key as JSON if it has one, and how its multiplicity changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) key: Option<String>,
    pub(super) row: String,
    pub(super) diff: i64,
}

/// A record to be written; without a value it is a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

impl Record {
    fn len(&self) -> usize {
        self.key.as_ref().map_or(0, String::len) + self.value.as_ref().map_or(0, String::len)
    }
}

/// Turns the changes of one time into records.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub(super) mode: Mode,
    pub(super) identity: &'a Identity,
    pub(super) view: &'a str,
    /// Bytes of key and value that a record may have.
    pub(super) most_bytes: usize,
}

/// Records, and rows that no record can hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) records: Vec<Record>,
    pub(super) too_large: u64,
}

impl Writer<'_> {
    /// The records of what changed at `time`; `op` is the operation of rows that come: `c`, or `r` in a snapshot.
    pub(super) fn records(&self, time: u64, op: char, changes: Vec<Change>) -> Records {
        let envelopes = Envelopes::of(self, time, op);
        let mut records = Records::default();
        let mut by_key: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        for change in changes {
            if self.bytes(&change, &envelopes) > self.most_bytes {
                // The same row is left out when it leaves, so that what is written stays whole.
                records.too_large += u64::from(change.diff > 0);
                continue;
            }
            match &change.key {
                None => self.repeat(&change, &envelopes, &mut records.records),
                Some(key) => by_key.entry(key.clone()).or_default().push(change),
            }
        }
        for (key, changes) in by_key {
            match self.mode {
                Mode::Changes => self.pairs(&key, &changes, &envelopes, &mut records.records),
                Mode::Upsert => {
                    let last = changes.into_iter().rfind(|change| change.diff > 0);
                    records.records.push(Record { key: Some(key), value: last.map(|change| change.row) });
                }
            }
        }
        records
    }

    /// Bytes of the record that holds nothing but this row.
    fn bytes(&self, change: &Change, envelopes: &Envelopes) -> usize {
        let around = match self.mode {
            Mode::Changes => envelopes.around,
            Mode::Upsert => 0,
        };
        change.key.as_ref().map_or(0, String::len) + change.row.len() + around
    }

    fn repeat(&self, change: &Change, envelopes: &Envelopes, records: &mut Vec<Record>) {
        let value = match (self.mode, change.diff > 0) {
            (Mode::Upsert, _) => change.row.clone(),
            (Mode::Changes, true) => envelopes.come(&change.row),
            (Mode::Changes, false) => envelopes.leave(&change.row),
        };
        let record = Record { key: change.key.clone(), value: Some(value) };
        records.extend(repeat_n(record, change.diff.unsigned_abs() as usize));
    }

    /// A row that leaves and one that comes with the same key are one update.
    fn pairs(&self, key: &str, changes: &[Change], envelopes: &Envelopes, records: &mut Vec<Record>) {
        let many = |change: &Change| change.diff.unsigned_abs() as usize;
        let (before, after): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(|change| change.diff < 0);
        let mut before = before.into_iter().flat_map(|change| repeat_n(&change.row, many(change)));
        let mut after = after.into_iter().flat_map(|change| repeat_n(&change.row, many(change)));
        let record = |value: String| Record { key: Some(key.to_owned()), value: Some(value) };
        loop {
            match (before.next(), after.next()) {
                (None, None) => return,
                (Some(row), None) => records.push(record(envelopes.leave(row))),
                (None, Some(row)) => records.push(record(envelopes.come(row))),
                (Some(old), Some(new)) => {
                    let update = record(envelopes.update(old, new));
                    if update.len() <= self.most_bytes {
                        records.push(update);
                        continue;
                    }
                    records.push(record(envelopes.leave(old)));
                    records.push(record(envelopes.come(new)));
                }
            }
        }
    }
}

/// The envelopes of one time: what is the same in all of them is written once.
struct Envelopes {
    /// Operation of rows that come.
    op: char,
    /// What follows the operation.
    tail: String,
    /// Bytes around the row where there is only one.
    around: usize,
}

impl Envelopes {
    fn of(writer: &Writer<'_>, time: u64, op: char) -> Self {
        let mut tail = format!("\",\"ts_ms\":{time},\"source\":{{\"node\":");
        quote(&mut tail, &writer.identity.node);
        tail.push_str(",\"view\":");
        quote(&mut tail, writer.view);
        write!(tail, ",\"time\":{time}}}}}").expect("text grows");
        let mut envelopes = Self { op, tail, around: 0 };
        envelopes.around = envelopes.come("").len();
        envelopes
    }

    fn come(&self, row: &str) -> String {
        self.envelope(self.op, "null", row)
    }

    fn leave(&self, row: &str) -> String {
        self.envelope('d', row, "null")
    }

    fn update(&self, before: &str, after: &str) -> String {
        self.envelope('u', before, after)
    }

    fn envelope(&self, op: char, before: &str, after: &str) -> String {
        let parts = ["{\"before\":", before, ",\"after\":", after, ",\"op\":\""];
        let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 1 + self.tail.len());
        parts.iter().for_each(|part| text.push_str(part));
        text.push(op);
        text.push_str(&self.tail);
        text
    }
}

/// Rows with their multiplicities, as a reader of the topic holds them or as the view has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    rows: BTreeMap<(Option<String>, String), i64>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    before: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
}

impl Rows {
    /// Adds a change.
    pub(super) fn apply(&mut self, change: Change) {
        match self.rows.entry((change.key, change.row)) {
            Entry::Vacant(entry) => {
                entry.insert(change.diff);
            }
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += change.diff;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
    }

    /// Adds a record that was read; an error says that it is none of ours.
    pub(super) fn read(&mut self, mode: Mode, key: Option<&str>, value: Option<&str>) -> Result<(), serde_json::Error> {
        let key = key.map(str::to_owned);
        let change = |row: &str, diff| Change { key: key.clone(), row: row.to_owned(), diff };
        match mode {
            Mode::Changes => {
                let Some(value) = value else { return Ok(()) };
                let envelope: Envelope<'_> = serde_json::from_str(value)?;
                if let Some(before) = envelope.before {
                    self.apply(change(before.get(), -1));
                }
                if let Some(after) = envelope.after {
                    self.apply(change(after.get(), 1));
                }
            }
            Mode::Upsert => {
                let held = self.rows.range((key.clone(), String::new())..).next().map(|(row, _)| row.clone());
                if let Some(held) = held.filter(|(held, _)| *held == key) {
                    self.rows.remove(&held);
                }
                if let Some(row) = value {
                    self.apply(change(row, 1));
                }
            }
        }
        Ok(())
    }

    /// What has to change for `self` to become `target`.
    pub(super) fn until(&self, target: &Rows) -> Vec<Change> {
        let mut changes = Vec::new();
        for ((key, row), count) in &self.rows {
            let wanted = target.rows.get(&(key.clone(), row.clone())).copied().unwrap_or_default();
            if wanted != *count {
                changes.push(Change { key: key.clone(), row: row.clone(), diff: wanted - count });
            }
        }
        for ((key, row), count) in &target.rows {
            if !self.rows.contains_key(&(key.clone(), row.clone())) {
                changes.push(Change { key: key.clone(), row: row.clone(), diff: *count });
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests;
