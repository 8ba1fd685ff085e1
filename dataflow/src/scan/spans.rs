//! Keys with the span of their address: found when rows are read, once a group unless an address changes its owner among
//! them. When the owners of an address change
//! afterwards, the sums of that address are moved to other spans; only the pane in which a change falls is read again.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, StringArray, TimestampNanosecondArray, UInt32Array};
use arrow::compute::{filter, take};
use arrow::error::ArrowError;
use watershed_query::view::Span;

use super::EventReader;
use super::reduce::{Emit, Grouped, Sums};
use crate::codec::Codec;
use crate::group::group;
use crate::keys::Number;
use crate::owners::{Learned, OwnerChanges};
use crate::recall::Recall;
use crate::stored::StoredBatch;

/// What it takes to know spans, and to change them.
pub(super) struct Spans {
    span: Span,
    /// For the key without the span.
    others: Codec,
    owners: OwnerChanges,
    /// The batches in the window.
    recalls: VecDeque<Rc<Recall>>,
    first_ns: i64,
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
    /// `codec` is the whole key's.
    pub(super) fn new(span: Span, codec: &Codec) -> Self {
        let others = codec.without(span.key).expect("what is encoded with more is encoded alone");
        Spans { span, others, owners: OwnerChanges::default(), recalls: VecDeque::new(), first_ns: i64::MIN }
    }

    /// Keeps what it takes to read a batch again.
    pub(super) fn remember(&mut self, stored: &StoredBatch) {
        self.recalls.extend(stored.recall());
    }

    /// Forgets batches without rows in the window.
    pub(super) fn forget_before(&mut self, first_ns: i64) {
        if self.first_ns != first_ns {
            self.first_ns = first_ns;
            self.recalls.retain(|recall| recall.last_ns() >= first_ns);
        }
    }

    /// Groups rows by their keys, whose span is put in.
    pub(super) fn group(
        &self,
        codec: &Codec,
        keys: &[ArrayRef],
        times: &[i64],
        panes: &[i64],
    ) -> Result<Grouped, ArrowError> {
        let others: Vec<ArrayRef> = keys
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != self.span.key)
            .map(|(_, column)| Arc::clone(column))
            .collect();
        let groups = group(&self.others.encode(&others)?, panes);
        let firsts = UInt32Array::from_iter_values(groups.firsts.iter().map(|(first, _)| *first));
        let heads = keys.iter().map(|column| take(column, &firsts, None)).collect::<Result<Vec<_>, _>>()?;
        let addresses = self.addresses(&heads)?;
        if let Some(since) = self.lasting(addresses, times) {
            let (found, keys) = self.found(addresses.clone(), since, &heads);
            let places = (0..groups.firsts.len()).collect();
            return Ok(Grouped { groups, keys: codec.encode(&keys)?, spans: Some(found), places });
        }
        let addresses = self.addresses(keys)?;
        let spans = addresses.iter().zip(times);
        let since = spans.map(|(address, time)| self.owners.since(address.unwrap_or_default(), *time)).collect();
        let (found, keys) = self.found(addresses.clone(), since, keys);
        Ok(Grouped::by_row(codec.encode(&keys)?, panes, Some(found)))
    }

    /// The spans of addresses, if each has one for all of these times.
    fn lasting(&self, addresses: &StringArray, times: &[i64]) -> Option<Vec<i64>> {
        let [first, last] = [times.iter().min(), times.iter().max()].map(|time| time.copied().unwrap_or_default());
        let lasting = addresses.iter().map(|address| {
            let [before, after] = [first, last].map(|time| self.owners.since(address.unwrap_or_default(), time));
            (before == after).then_some(after)
        });
        lasting.collect()
    }

    /// What was found, and keys with it.
    fn found(&self, addresses: StringArray, since: Vec<i64>, keys: &[ArrayRef]) -> (Found, Vec<ArrayRef>) {
        let since = TimestampNanosecondArray::from(since).with_timezone("+00:00");
        let mut keys = keys.to_vec();
        keys[self.span.key] = Arc::new(since.clone());
        (Found { addresses, since }, keys)
    }

    /// The rows with one of these addresses.
    pub(super) fn only(
        &self,
        columns: &[ArrayRef],
        times: &[i64],
        addresses: &[Box<str>],
    ) -> Result<(Vec<ArrayRef>, Vec<i64>), ArrowError> {
        let wanted = |address: Option<&str>| addresses.iter().any(|one| Some(one.as_ref()) == address);
        let mask: BooleanArray = self.addresses(columns)?.iter().map(|address| Some(wanted(address))).collect();
        let columns = columns.iter().map(|column| filter(column, &mask)).collect::<Result<_, _>>()?;
        let times = times.iter().zip(mask.values()).filter(|(_, wanted)| *wanted).map(|(time, _)| *time);
        Ok((columns, times.collect()))
    }

    fn addresses<'a>(&self, columns: &'a [ArrayRef]) -> Result<&'a StringArray, ArrowError> {
        let malformed = || ArrowError::SchemaError("an address is a text".into());
        columns[self.span.address].as_string_opt::<i32>().ok_or_else(malformed)
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
        readers: &[(&'static str, EventReader)],
        rows: &StoredBatch,
        diffs: &[i64],
        emit: Emit<'_>,
    ) {
        let (Some(spans), Some((_, reader))) = (&mut self.spans, readers.first()) else { return };
        let Ok(learned) = spans.owners.learn(rows, diffs) else {
            reader.losses.add(&reader.owner, "malformed_batch", rows.rows() as i64, 0);
            return;
        };
        let (mut moves, splits) = self.affected(&learned);
        for (pane, addresses) in splits {
            let times = pane..self.groups.panes.end_of(pane);
            match self.spans.as_ref().and_then(|spans| spans.recalled(&times)) {
                Some(batches) => self.split(readers, pane, (&addresses, &batches), emit),
                None => {
                    let kept = addresses.iter().flat_map(|address| self.moves(pane, address)).collect::<Vec<_>>();
                    reader.losses.add(&reader.owner, "owner_not_split", addresses.len() as i64, 0);
                    moves.extend(kept);
                }
            }
        }
        if self.carry_out(moves, emit).is_err() {
            reader.losses.add(&reader.owner, "malformed_batch", rows.rows() as i64, 0);
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
        readers: &[(&'static str, EventReader)],
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
