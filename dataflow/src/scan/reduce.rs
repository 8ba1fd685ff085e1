//! Scans of event tables that are summed up where they are read: one change a key and tick is handed on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use differential_dataflow::difference::{Abelian, IsZero, Semigroup};
use watershed_model::TickTime;
use watershed_operators::{Accumulator, Row};
use watershed_query::view::{Span, Window};

use super::spans::Spans;
use super::{EventReader, Item, Partial};
use crate::aggregate::{Aggregates, Merger};
use crate::codec::Codec;
use crate::group::group;
use crate::panes::{Panes, Standing};

/// Where a scan's partials go.
pub(super) type Emit<'a> = &'a mut dyn FnMut(Partial, i64);

/// Sums and candidates by key; where a key has a span, keys by address with it.
#[derive(Default)]
pub(super) struct Pane {
    pub(super) groups: HashMap<Row, (Accumulator, Row), foldhash::fast::RandomState>,
    pub(super) by_address: HashMap<Box<str>, Vec<(i64, Row)>, foldhash::fast::RandomState>,
}

/// Scans of event tables with one window, summed up together.
pub(crate) struct ReduceScan {
    readers: Vec<(&'static str, EventReader)>,
    sums: PaneSums,
    now: Option<u64>,
}

impl ReduceScan {
    /// `readers` by the table that each reads; all make the same columns.
    pub(crate) fn new(
        readers: Vec<(&'static str, EventReader)>,
        keys: Codec,
        aggregates: Rc<Aggregates>,
        window: Option<Window>,
        span: Option<Span>,
    ) -> Self {
        let merger = aggregates.merger();
        let (panes, spans) = (Panes::new(window), span.map(Spans::new));
        let sums = PaneSums { keys, aggregates, merger, panes, spans, now_ns: 0 };
        ReduceScan { readers, sums, now: None }
    }

    pub(crate) fn step(&mut self, tick: u64, item: Option<Item>, emit: Emit<'_>) {
        if self.now != Some(tick) {
            self.now = Some(tick);
            self.sums.advance(TickTime(tick).as_nanoseconds(), emit);
        }
        match item {
            Some(Item::Events(stored)) => {
                if let Some(spans) = &mut self.sums.spans {
                    spans.remember(&stored);
                }
                for (_, reader) in self.readers.iter().filter(|(table, _)| *table == stored.table()) {
                    self.sums.read(reader, &stored, None, emit);
                }
            }
            Some(Item::Changes(rows, diffs)) => self.sums.respan(&self.readers, &rows, &diffs, emit),
            Some(Item::Constant(_)) | None => {}
        }
    }
}

/// The sums by pane.
pub(super) struct PaneSums {
    pub(super) keys: Codec,
    aggregates: Rc<Aggregates>,
    merger: Merger,
    pub(super) panes: Panes<Pane>,
    pub(super) spans: Option<Spans>,
    now_ns: i64,
}

/// What is added to a key in a pane.
pub(super) struct Group {
    pub(super) key: Row,
    pub(super) pane: i64,
    /// Address and span of the key, where it has them.
    pub(super) span: Option<(Box<str>, i64)>,
    pub(super) sums: Accumulator,
    /// If there are values that are not sums.
    pub(super) candidates: Option<Row>,
}

impl PaneSums {
    fn advance(&mut self, now_ns: i64, emit: Emit<'_>) {
        self.now_ns = now_ns;
        let values = self.aggregates.has_candidates();
        self.panes.advance(now_ns, |pane, diff| {
            for (key, (sums, candidates)) in &pane.groups {
                let mut sums = sums.clone();
                if diff < 0 {
                    sums.negate();
                }
                emit(Partial::Sums(key.clone(), sums), 1);
                if values {
                    emit(Partial::Candidates(key.clone(), candidates.clone()), diff);
                }
            }
        });
        if let Some(spans) = &mut self.spans {
            spans.forget_before(self.panes.first(now_ns));
        }
    }

    /// Adds a batch's rows, or those with some addresses only.
    pub(super) fn read(
        &mut self,
        reader: &EventReader,
        stored: &crate::stored::StoredBatch,
        only: Option<&[Box<str>]>,
        emit: Emit<'_>,
    ) {
        reader.read(stored, |columns, times| {
            let rows = times.len();
            let added = match (only, &self.spans) {
                (Some(addresses), Some(spans)) => spans.only(columns, &times, addresses),
                _ => Ok((columns.to_vec(), times)),
            };
            if added.and_then(|(columns, times)| self.add(columns, &times, emit)).is_err() {
                reader.losses.add(&reader.owner, "malformed_batch", rows as i64, 0);
            }
        });
    }

    fn add(&mut self, mut columns: Vec<ArrayRef>, times: &[i64], emit: Emit<'_>) -> Result<(), ArrowError> {
        let found = self.spans.as_ref().map(|spans| spans.find(&mut columns, times)).transpose()?;
        let encoded = self.keys.encode(&columns[..self.aggregates.keys()])?;
        let tags: Vec<i64> = times.iter().map(|time| self.panes.pane_of(*time)).collect();
        let groups = group(&encoded, &tags);
        let mut table = self.aggregates.table(groups.firsts.len());
        self.aggregates.add(&columns, &groups.of_row, None, &mut table)?;
        let mut merged: Vec<Vec<u8>> = Vec::new();
        if self.aggregates.has_candidates() {
            merged = vec![self.aggregates.no_candidates(); groups.firsts.len()];
            for (candidates, group) in self.aggregates.candidates(&columns, times.len())?.iter().zip(&groups.of_row) {
                let known = &mut merged[*group as usize];
                *known = self.merger.merge(&[known, candidates]);
            }
        }
        let accumulators = self.aggregates.accumulators(table);
        for (at, ((first, pane), sums)) in groups.firsts.iter().zip(accumulators).enumerate() {
            let key = encoded.row(*first as usize).to_vec();
            let candidates = merged.get_mut(at).map(std::mem::take);
            let span = found.as_ref().map(|found| found.of(*first as usize));
            self.keep(Group { key, pane: *pane, span, sums, candidates }, emit);
        }
        Ok(())
    }

    /// Adds to a key in a pane, unless that has left.
    pub(super) fn keep(&mut self, group: Group, emit: Emit<'_>) {
        let Group { key, pane, span, sums, candidates } = group;
        let standing = self.panes.standing(pane, self.now_ns);
        if standing == Standing::Left {
            return;
        }
        let inside = standing == Standing::Inside;
        if candidates.is_some() || self.panes.keeps() {
            let Pane { groups, by_address } = self.panes.contents(pane, standing);
            let known = match groups.entry(key.clone()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(room) => {
                    if let Some((address, since)) = span {
                        by_address.entry(address).or_default().push((since, key.clone()));
                    }
                    room.insert_entry(Default::default()).into_mut()
                }
            };
            // An entry is there before its first row only here: rows are never counted as zero.
            let first = known.0.is_zero();
            known.0.plus_equals(&sums);
            if let Some(candidates) = candidates {
                let merged = if first { candidates } else { self.merger.merge(&[&known.1, &candidates]) };
                if inside && (first || merged != known.1) {
                    if !first {
                        emit(Partial::Candidates(key.clone(), known.1.clone()), -1);
                    }
                    emit(Partial::Candidates(key.clone(), merged.clone()), 1);
                }
                known.1 = merged;
            }
        }
        if inside {
            emit(Partial::Sums(key, sums), 1);
        }
    }

    /// Takes a key out of a pane again, with what was added to it.
    pub(super) fn take(&mut self, pane: i64, key: &Row, emit: Emit<'_>) -> Option<(Accumulator, Option<Row>)> {
        let standing = self.panes.standing(pane, self.now_ns);
        let (sums, candidates) = self.panes.contents(pane, standing).groups.remove(key)?;
        let candidates = self.aggregates.has_candidates().then_some(candidates);
        if standing == Standing::Inside {
            let mut negated = sums.clone();
            negated.negate();
            emit(Partial::Sums(key.clone(), negated), 1);
            if let Some(candidates) = &candidates {
                emit(Partial::Candidates(key.clone(), candidates.clone()), -1);
            }
        }
        Some((sums, candidates))
    }
}
