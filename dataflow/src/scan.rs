//! The leaves of a view: event scans with their windows, aggregated per tick where a reduce stands right above them.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use differential_dataflow::difference::{Abelian, IsZero, Semigroup};
use watershed_model::TickTime;
use watershed_operators::{Accumulator, Row};
use watershed_query::view::Window;

use crate::aggregate::{Aggregates, Merger};
use crate::codec::Codec;
use crate::group::group;
use crate::losses::Losses;
use crate::panes::{Panes, Standing};
use crate::stored::StoredBatch;
use crate::vector::Chain;

/// What a leaf is fed with.
pub(crate) enum Item {
    /// Events of a tick, or retained ones when the view is built.
    Events(Rc<StoredBatch>),
    /// Changes of a state table.
    Changes(Rc<StoredBatch>, Arc<Vec<i64>>),
    /// The rows of a constant.
    Constant(RecordBatch),
}

/// What an aggregating scan says of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Partial {
    /// Something was added to its sums.
    Sums(Row, Accumulator),
    /// A candidate for its other values came or went.
    Candidates(Row, Row),
}

/// Reads an event table's rows through the scan's expressions.
pub(crate) struct EventReader {
    pub(crate) columns: Vec<usize>,
    pub(crate) chain: Chain,
    pub(crate) owner: String,
    pub(crate) losses: Losses,
}

impl EventReader {
    /// Calls `each` with pieces of the batch and the `time_` of their rows.
    pub(crate) fn read(&self, stored: &StoredBatch, mut each: impl FnMut(&[ArrayRef], Vec<i64>)) {
        let (Some(times), Ok(batch)) = (stored.times(), stored.columns(&self.columns)) else {
            self.losses.add(&self.owner, "malformed_batch", stored.rows() as i64, 0);
            return;
        };
        for piece in self.chain.run(&batch) {
            let times = piece.origins.values().iter().map(|origin| times[*origin as usize]).collect();
            each(&piece.columns, times);
        }
    }
}

/// A scan whose rows come out one by one.
pub(crate) struct RowScan {
    reader: EventReader,
    codec: Codec,
    panes: Panes<Vec<Row>>,
    now: Option<u64>,
}

impl RowScan {
    pub(crate) fn new(reader: EventReader, codec: Codec, window: Option<Window>) -> Self {
        RowScan { reader, codec, panes: Panes::new(window), now: None }
    }

    pub(crate) fn step(&mut self, tick: u64, item: Option<Item>, emit: &mut dyn FnMut(Row, i64)) {
        let now_ns = TickTime(tick).as_nanoseconds();
        if self.now != Some(tick) {
            self.now = Some(tick);
            self.panes.advance(now_ns, |rows, diff| rows.iter().for_each(|row| emit(row.clone(), diff)));
        }
        let Some(Item::Events(stored)) = item else { return };
        let RowScan { reader, codec, panes, .. } = self;
        reader.read(&stored, |columns, times| {
            let Ok(rows) = codec.encode(columns) else {
                reader.losses.add(&reader.owner, "malformed_batch", times.len() as i64, 0);
                return;
            };
            for (row, time) in times.iter().enumerate() {
                let pane = panes.pane_of(*time);
                let standing = panes.standing(pane, now_ns);
                if standing == Standing::Inside {
                    emit(rows.row(row).to_vec(), 1);
                }
                if standing != Standing::Left && panes.keeps() {
                    panes.contents(pane, standing).push(rows.row(row).to_vec());
                }
            }
        });
    }
}

/// Sums and candidates by key.
type Pane = HashMap<Row, (Accumulator, Row), foldhash::fast::RandomState>;

/// Scans of event tables with one window, summed up together: one change a key and tick is handed on.
pub(crate) struct ReduceScan {
    readers: Vec<(&'static str, EventReader)>,
    keys: Codec,
    aggregates: Rc<Aggregates>,
    merger: Merger,
    panes: Panes<Pane>,
    now: Option<u64>,
}

impl ReduceScan {
    /// `readers` by the table that each reads; all make the same columns.
    pub(crate) fn new(
        readers: Vec<(&'static str, EventReader)>,
        keys: Codec,
        aggregates: Rc<Aggregates>,
        window: Option<Window>,
    ) -> Self {
        let merger = aggregates.merger();
        ReduceScan { readers, keys, aggregates, merger, panes: Panes::new(window), now: None }
    }

    pub(crate) fn step(&mut self, tick: u64, item: Option<Item>, emit: &mut dyn FnMut(Partial, i64)) {
        let now_ns = TickTime(tick).as_nanoseconds();
        let values = self.aggregates.has_candidates();
        if self.now != Some(tick) {
            self.now = Some(tick);
            self.panes.advance(now_ns, |pane, diff| {
                for (key, (sums, candidates)) in pane {
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
        }
        let Some(Item::Events(stored)) = item else { return };
        let ReduceScan { readers, keys, aggregates, merger, panes, .. } = self;
        for (_, reader) in readers.iter().filter(|(table, _)| *table == stored.table()) {
            reader.read(&stored, |columns, times| {
                let mut panes = PaneReduce { keys, aggregates, merger, panes, now_ns };
                if panes.add(columns, &times, emit).is_err() {
                    reader.losses.add(&reader.owner, "malformed_batch", times.len() as i64, 0);
                }
            });
        }
    }
}

struct PaneReduce<'a> {
    keys: &'a Codec,
    aggregates: &'a Aggregates,
    merger: &'a Merger,
    panes: &'a mut Panes<Pane>,
    now_ns: i64,
}

impl PaneReduce<'_> {
    fn add(
        &mut self,
        columns: &[ArrayRef],
        times: &[i64],
        emit: &mut dyn FnMut(Partial, i64),
    ) -> Result<(), arrow::error::ArrowError> {
        let encoded = self.keys.encode(&columns[..self.aggregates.keys()])?;
        let tags: Vec<i64> = times.iter().map(|time| self.panes.pane_of(*time)).collect();
        let groups = group(&encoded, &tags);
        let mut table = self.aggregates.table(groups.firsts.len());
        self.aggregates.add(columns, &groups.of_row, None, &mut table)?;
        let mut merged: Vec<Vec<u8>> = Vec::new();
        if self.aggregates.has_candidates() {
            merged = vec![self.aggregates.no_candidates(); groups.firsts.len()];
            for (candidates, group) in self.aggregates.candidates(columns, times.len())?.iter().zip(&groups.of_row) {
                let known = &mut merged[*group as usize];
                *known = self.merger.merge(&[known, candidates]);
            }
        }
        let accumulators = self.aggregates.accumulators(table);
        for (at, ((first, pane), sums)) in groups.firsts.iter().zip(accumulators).enumerate() {
            let standing = self.panes.standing(*pane, self.now_ns);
            if standing == Standing::Left {
                continue;
            }
            let key = encoded.row(*first as usize).to_vec();
            let candidates = merged.get_mut(at).map(std::mem::take);
            self.keep(key, *pane, standing, sums, candidates, emit);
        }
        Ok(())
    }

    fn keep(
        &mut self,
        key: Row,
        pane: i64,
        standing: Standing,
        sums: Accumulator,
        candidates: Option<Row>,
        emit: &mut dyn FnMut(Partial, i64),
    ) {
        let inside = standing == Standing::Inside;
        if candidates.is_some() || self.panes.keeps() {
            let contents = self.panes.contents(pane, standing);
            let known = contents.entry(key.clone()).or_default();
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
}
