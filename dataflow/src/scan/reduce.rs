//! Scans of event tables with one window, summed up together: one change a key and tick is handed on.

mod groups;
mod paned;

use std::rc::Rc;

use arrow::error::ArrowError;
use watershed_model::TickTime;
use watershed_operators::{Accumulator, Row};
use watershed_query::view::{Span, Window};

use super::Item;
use super::keyed::{KeyedReader, Read};
use super::spans::Spans;
use crate::aggregate::Aggregates;
use crate::codec::Codec;
use crate::stored::StoredBatch;
pub(super) use groups::Groups;
use paned::Paned;

/// What is handed on: a key, and what is added to its sums and its values.
pub(super) type Emit<'a> = &'a mut dyn FnMut(Row, Accumulator);

/// The leaf of a reduce right above scans.
pub(crate) struct ReduceScan {
    readers: Vec<(&'static str, KeyedReader)>,
    sums: Sums,
    now: Option<u64>,
}

impl ReduceScan {
    /// `readers` by the table that each reads; all make the same columns.
    pub(crate) fn new(
        readers: Vec<(&'static str, KeyedReader)>,
        codec: Codec,
        aggregates: Rc<Aggregates>,
        window: Option<Window>,
        span: Option<Span>,
    ) -> Self {
        let groups = Groups::new(window, aggregates.merger());
        let spans = span.map(Spans::new);
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
            Some(Item::Constant(_) | Item::Moved) | None => return,
        }
        self.sums.groups.pack();
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
        reader: &KeyedReader,
        stored: &StoredBatch,
        only: Option<&[Box<str>]>,
        emit: Emit<'_>,
    ) {
        reader.read(stored, |read| {
            let rows = read.times.len();
            let read = match (only, &self.spans) {
                (Some(addresses), Some(spans)) => spans.only(read, addresses),
                _ => Ok(read),
            };
            if read.and_then(|read| self.add(read, emit)).is_err() {
                reader.lost(rows);
            }
        });
    }

    /// Adds rows to their groups.
    fn add(&mut self, read: Read<'_>, emit: Emit<'_>) -> Result<(), ArrowError> {
        let Sums { codec, aggregates, groups, spans } = self;
        let read = match spans {
            Some(spans) if !spans.last(&read)? => read.apart()?,
            _ => read,
        };
        let paned = Paned::of(&read, &groups.panes, spans.as_ref(), codec)?;
        let mut table = aggregates.table(paned.groups());
        aggregates.add(&read.arguments, &paned.of_row, None, &mut table)?;
        let chosen = aggregates.chosen_of(&read.arguments, &paned.of_row, paned.groups())?;
        for (group, mut sums) in aggregates.accumulators(table).into_iter().enumerate() {
            if let Some(value) = chosen.get(group) {
                sums.add_value(value, 1);
            }
            groups.add(paned.key(group), sums, paned.pane(group), paned.span(group), emit);
        }
        Ok(())
    }
}
