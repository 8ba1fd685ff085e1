//! Scans of event tables with one window, summed up together: one change a key and tick is handed on.

mod groups;

use std::rc::Rc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use watershed_model::TickTime;
use watershed_operators::{Accumulator, Row};
use watershed_query::view::{Span, Window};

use super::spans::{Found, Spans};
use super::{EventReader, Item};
use crate::aggregate::Aggregates;
use crate::codec::{Codec, Encoded};
use crate::group::{self, group};
use crate::stored::StoredBatch;
pub(super) use groups::Groups;

/// What is handed on: a key, and what is added to its sums and its values.
pub(super) type Emit<'a> = &'a mut dyn FnMut(Row, Accumulator);

/// The leaf of a reduce right above scans.
pub(crate) struct ReduceScan {
    readers: Vec<(&'static str, EventReader)>,
    sums: Sums,
    now: Option<u64>,
}

impl ReduceScan {
    /// `readers` by the table that each reads; all make the same columns.
    pub(crate) fn new(
        readers: Vec<(&'static str, EventReader)>,
        codec: Codec,
        aggregates: Rc<Aggregates>,
        window: Option<Window>,
        span: Option<Span>,
    ) -> Self {
        let groups = Groups::new(window, aggregates.merger());
        let spans = span.map(|span| Spans::new(span, &codec));
        ReduceScan { readers, sums: Sums { codec, aggregates, groups, spans }, now: None }
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
            Some(Item::Constant(_)) | None => return,
        }
        self.sums.groups.pack();
    }
}

/// Rows by group: key and pane.
pub(super) struct Grouped {
    pub(super) groups: group::Groups,
    pub(super) keys: Encoded,
    pub(super) spans: Option<Found>,
    /// Of each group, where its key and its span are.
    pub(super) places: Vec<usize>,
}

impl Grouped {
    /// Groups rows by their whole keys.
    pub(super) fn by_row(keys: Encoded, panes: &[i64], spans: Option<Found>) -> Self {
        let groups = group(&keys, panes);
        let places = groups.firsts.iter().map(|(first, _)| *first as usize).collect();
        Grouped { groups, keys, spans, places }
    }
}

/// From rows to the groups of all panes.
pub(super) struct Sums {
    pub(super) codec: Codec,
    aggregates: Rc<Aggregates>,
    pub(super) groups: Groups,
    pub(super) spans: Option<Spans>,
}

impl Sums {
    fn advance(&mut self, now_ns: i64, emit: Emit<'_>) {
        self.groups.advance(now_ns, emit);
        if let Some(spans) = &mut self.spans {
            spans.forget_before(self.groups.panes.first(now_ns));
        }
    }

    /// Adds a batch's rows, or those with some addresses only.
    pub(super) fn read(
        &mut self,
        reader: &EventReader,
        stored: &StoredBatch,
        only: Option<&[Box<str>]>,
        emit: Emit<'_>,
    ) {
        reader.read(stored, |columns, times| {
            let rows = times.len();
            let added = match (only, &self.spans) {
                (Some(addresses), Some(spans)) => spans.only(columns, &times, addresses),
                _ => Ok((columns.to_vec(), times)),
            };
            if added.and_then(|(columns, times)| self.add(&columns, &times, emit)).is_err() {
                reader.losses.add(&reader.owner, "malformed_batch", rows as i64, 0);
            }
        });
    }

    /// Adds rows to their groups.
    fn add(&mut self, columns: &[ArrayRef], times: &[i64], emit: Emit<'_>) -> Result<(), ArrowError> {
        let Sums { codec, aggregates, groups, spans } = self;
        let panes: Vec<i64> = times.iter().map(|time| groups.panes.pane_of(*time)).collect();
        let keys = &columns[..aggregates.keys()];
        let grouped = match spans {
            Some(spans) => spans.group(codec, keys, times, &panes)?,
            None => Grouped::by_row(codec.encode(keys)?, &panes, None),
        };
        let Grouped { groups: found, keys, spans, places } = grouped;
        let mut table = aggregates.table(found.firsts.len());
        aggregates.add(columns, &found.of_row, None, &mut table)?;
        let mut chosen: Vec<Row> = Vec::new();
        if aggregates.has_candidates() {
            chosen = vec![Row::new(); found.firsts.len()];
            for (candidates, group) in aggregates.candidates(columns, times.len())?.into_iter().zip(&found.of_row) {
                let known = &mut chosen[*group as usize];
                *known = if known.is_empty() { candidates } else { groups.merger.merge(&[known, &candidates]) };
            }
        }
        let sums = aggregates.accumulators(table).into_iter();
        for (at, (mut sums, ((_, pane), place))) in sums.zip(found.firsts.iter().zip(places)).enumerate() {
            if let Some(value) = chosen.get(at) {
                sums.add_value(value, 1);
            }
            let span = spans.as_ref().map(|found| found.of(place));
            groups.add(keys.row(place), sums, *pane, span, emit);
        }
        Ok(())
    }
}
