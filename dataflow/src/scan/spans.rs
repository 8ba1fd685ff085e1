//! Keys with the span of their address: found when rows are read, once a group unless an address changes its owner among
//! them. When the owners of an address change afterwards, the sums of that address are moved to other spans; only the pane
//! in which a change falls is read again.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray, TimestampNanosecondArray};
use arrow::error::ArrowError;
use watershed_query::view::Span;

use super::keyed::{KeyedReader, Read};
use super::reduce::{Emit, Sums};
use crate::keys::Number;
use crate::owners::{Learned, OwnerChanges};
use crate::recall::Recall;
use crate::stored::StoredBatch;

/// What it takes to know spans, and to change them.
pub(super) struct Spans {
    span: Span,
    owners: OwnerChanges,
    /// The batches in the window, as they came.
    recalls: VecDeque<Rc<Recall>>,
}

/// Addresses and spans of rows or groups.
pub(super) struct Found {
    addresses: StringArray,
    since: TimestampNanosecondArray,
}

impl Found {
    pub(super) fn of(&self, place: usize) -> (Box<str>, i64) {
        (self.addresses.value(place).into(), self.since.value(place))
    }
}

/// A group in a pane that belongs to another span.
struct Move {
    pane: i64,
    address: Box<str>,
    number: Number,
    since: i64,
}

impl Spans {
    pub(super) fn new(span: Span) -> Self {
        Spans { span, owners: OwnerChanges::default(), recalls: VecDeque::new() }
    }

    /// Keeps what it takes to read a batch again.
    pub(super) fn remember(&mut self, stored: &StoredBatch) {
        self.recalls.extend(stored.recall());
    }

    /// Forgets batches without rows in the window, once those that came before them are forgotten.
    pub(super) fn forget_before(&mut self, first_ns: i64) {
        while self.recalls.pop_front_if(|recall| recall.last_ns() < first_ns).is_some() {}
    }

    /// Whether each address has one owner from the first to the last of these rows.
    pub(super) fn last(&self, read: &Read<'_>) -> Result<bool, ArrowError> {
        let times = read.bounds();
        let lasts = |address: Option<&str>| {
            let [before, after] = times.map(|time| self.owners.since(address.unwrap_or_default(), time));
            before == after
        };
        Ok(self.addresses(&read.keys)?.iter().all(lasts))
    }

    /// Keys with the spans of their addresses at these times, and what was found.
    pub(super) fn put_in(
        &self,
        mut keys: Vec<ArrayRef>,
        times: impl Iterator<Item = i64>,
    ) -> Result<(Vec<ArrayRef>, Found), ArrowError> {
        let addresses = self.addresses(&keys)?.clone();
        let spans = addresses.iter().zip(times);
        let since = spans.map(|(address, time)| self.owners.since(address.unwrap_or_default(), time));
        let since = TimestampNanosecondArray::from_iter_values(since).with_timezone("+00:00");
        keys.insert(self.span.key, Arc::new(since.clone()));
        Ok((keys, Found { addresses, since }))
    }

    /// The rows with one of these addresses.
    pub(super) fn only<'a>(&self, read: Read<'a>, addresses: &[Box<str>]) -> Result<Read<'a>, ArrowError> {
        let wanted = |address: Option<&str>| addresses.iter().any(|one| Some(one.as_ref()) == address);
        let wanted: Vec<bool> = self.addresses(&read.keys)?.iter().map(wanted).collect();
        read.only(&wanted)
    }

    /// The addresses among keys without spans.
    fn addresses<'a>(&self, keys: &'a [ArrayRef]) -> Result<&'a StringArray, ArrowError> {
        let Span { key, address } = self.span;
        let malformed = || ArrowError::SchemaError("an address is a text".into());
        keys[address - usize::from(address > key)].as_string_opt::<i32>().ok_or_else(malformed)
    }

    /// All rows that were read of a span of time, unless the store lost some of them.
    fn recalled(&self, times: &std::ops::Range<i64>) -> Option<Vec<StoredBatch>> {
        let reaching = self.recalls.iter().filter(|recall| recall.reaches(times));
        reaching.map(|recall| recall.read()?.within(times).ok()).collect()
    }
}

impl Sums {
    /// Takes changes of owners in: what was summed up before them gets the spans that they make.
    pub(super) fn respan(
        &mut self,
        readers: &[(&'static str, KeyedReader)],
        rows: &StoredBatch,
        diffs: &[i64],
        emit: Emit<'_>,
    ) {
        let (Some(spans), Some((_, reader))) = (&mut self.spans, readers.first()) else { return };
        let Ok(learned) = spans.owners.learn(rows, diffs) else {
            return reader.lost(rows.rows());
        };
        let (mut moves, splits) = self.affected(&learned);
        for (pane, addresses) in splits {
            let times = pane..self.groups.panes.end_of(pane);
            match self.spans.as_ref().and_then(|spans| spans.recalled(&times)) {
                Some(batches) => self.split(readers, pane, (&addresses, &batches), emit),
                None => {
                    let kept = addresses.iter().flat_map(|address| self.moves(pane, address)).collect::<Vec<_>>();
                    reader.not_split(addresses.len());
                    moves.extend(kept);
                }
            }
        }
        if self.carry_out(moves, emit).is_err() {
            reader.lost(rows.rows());
        }
    }

    /// Keys that move as they are, and addresses whose rows must be read again, by pane.
    fn affected(&self, learned: &[(Box<str>, Learned)]) -> (Vec<Move>, BTreeMap<i64, Vec<Box<str>>>) {
        let (mut moves, mut splits) = (Vec::new(), BTreeMap::<i64, Vec<Box<str>>>::new());
        let Some(spans) = &self.spans else { return (moves, splits) };
        for (address, Learned { come, gone }) in learned {
            let first = come.first().into_iter().chain(gone.first()).min().copied().unwrap_or(i64::MAX);
            let last = come.last().into_iter().chain(gone.last()).max().copied().unwrap_or(i64::MAX);
            let end = spans.owners.next(address, last).unwrap_or(i64::MAX);
            for (pane, contents) in self.groups.panes.reaching(first..end) {
                if !contents.by_address.contains_key(address) {
                    continue;
                }
                let pane_end = self.groups.panes.end_of(pane);
                if come.iter().any(|change| pane < *change && *change < pane_end) {
                    splits.entry(pane).or_default().push(address.clone());
                } else {
                    moves.extend(self.moves(pane, address));
                }
            }
        }
        (moves, splits)
    }

    /// An address's keys in a pane that are in another span, when none of its spans was split in the pane.
    fn moves(&self, pane: i64, address: &str) -> Vec<Move> {
        let groups = self.groups.panes.reaching(pane..pane + 1).filter_map(|(_, pane)| pane.by_address.get(address));
        let Some(spans) = &self.spans else { return Vec::new() };
        let moved = groups.flatten().filter_map(|(before, number)| {
            let since = spans.owners.since(address, pane.max(*before));
            (since != *before).then(|| Move { pane, address: address.into(), number: *number, since })
        });
        moved.collect()
    }

    /// Takes an address's sums out of a pane and adds its rows again.
    fn split(
        &mut self,
        readers: &[(&'static str, KeyedReader)],
        pane: i64,
        (addresses, batches): (&[Box<str>], &[StoredBatch]),
        emit: Emit<'_>,
    ) {
        for address in addresses {
            let keys = self.groups.panes.get_mut(pane).and_then(|pane| pane.by_address.remove(address));
            for (_, number) in keys.into_iter().flatten() {
                self.groups.take(pane, number, emit);
            }
        }
        for stored in batches {
            for (_, reader) in readers.iter().filter(|(table, _)| *table == stored.table()) {
                self.read(reader, stored, Some(addresses), emit);
            }
        }
    }

    fn carry_out(&mut self, moves: Vec<Move>, emit: Emit<'_>) -> Result<(), ArrowError> {
        let Some(at) = self.spans.as_ref().map(|spans| spans.span.key).filter(|_| !moves.is_empty()) else {
            return Ok(());
        };
        let known = moves.iter().map(|moved| self.groups.keys.key(moved.number));
        let mut columns = self.codec.decode(known)?;
        let since = TimestampNanosecondArray::from_iter_values(moves.iter().map(|moved| moved.since));
        columns[at] = Arc::new(since.with_timezone("+00:00"));
        let keys = self.codec.encode(&columns)?;
        let mut taken = Vec::with_capacity(moves.len());
        for (row, Move { pane, address, number, since }) in moves.into_iter().enumerate() {
            if let Some(known) = self.groups.panes.get_mut(pane).and_then(|pane| pane.by_address.get_mut(&address)) {
                known.retain(|(_, other)| *other != number);
            }
            let Some((_, sums)) = self.groups.take(pane, number, emit) else { continue };
            taken.push((row, sums, pane, (address, since)));
        }
        for (row, sums, pane, span) in taken {
            self.groups.add(keys.row(row), sums, pane, Some(span), emit);
        }
        Ok(())
    }
}
