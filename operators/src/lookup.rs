//! Equi-joins of rows with a table: a row looks up its partners in the table's arrangement, and is kept by its key so that
//! a change of the table finds it. One operator does what takes a dozen when it is made of general ones: an arrangement of
//! the rows, their pairs, those that have a partner, and those that have none.

mod elsewhere;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::{Bound, Range};

use differential_dataflow::hashable::Hashable;
use differential_dataflow::trace::cursor::{Cursor, CursorList, cursor_list};
use differential_dataflow::trace::{BatchCursor, Navigable, SpanOf, TraceReader};
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::Operator;
use timely::progress::Antichain;
use timely::progress::frontier::MutableAntichain;

use crate::rows::{Row, RowArranged, RowTrace, Rows};
pub use elsewhere::{Elsewhere, Further, KeyedUpdates, Made, Updates, lookup_elsewhere};

/// Rows with the key that they are looked up by; an empty key has no partner.
pub type KeyedRows<'scope> = VecCollection<'scope, u64, (Row, Row), i64>;

/// Which rows a look-up makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Each row with each of its partners.
    Pairs,
    /// As `Pairs`, and rows without a partner alone.
    PairsAndAlone,
    /// Rows that have a partner, once each.
    Matched,
    /// Rows without a partner.
    Alone,
}

impl Wanted {
    fn pairs(self) -> bool {
        matches!(self, Wanted::Pairs | Wanted::PairsAndAlone)
    }

    /// How often a row is there by itself, if it has a partner or not.
    fn by_itself(self, has_partner: bool) -> bool {
        match self {
            Wanted::Pairs => false,
            Wanted::PairsAndAlone | Wanted::Alone => !has_partner,
            Wanted::Matched => has_partner,
        }
    }
}

/// Joins rows with a table. `made` makes a row of a row and its partner, or of a row by itself.
pub fn lookup<'scope>(
    rows: KeyedRows<'scope>,
    table: RowArranged<'scope>,
    name: &str,
    wanted: Wanted,
    made: impl Fn(&[u8], Option<&[u8]>) -> Row + 'static,
) -> Rows<'scope> {
    let (exchange, trace) = (Exchange::new(worker_of), table.trace);
    rows.inner
        .binary_frontier::<_, CapacityContainerBuilder<Vec<(Row, u64, i64)>>, _, _, _, _>(
            table.stream,
            exchange,
            Pipeline,
            name,
            move |_, _| {
                let mut held = CapabilitySet::new();
                let mut lookup = Lookup::new(trace, wanted, made);
                move |(rows, rows_frontier), (changes, table_frontier), output| {
                    rows.for_each(|capability, rows| {
                        capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                        lookup.take(rows.drain(..));
                    });
                    changes.for_each(|capability, spans| {
                        capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                        spans.drain(..).for_each(|span| lookup.receive(span));
                    });
                    let until = complete([rows_frontier, table_frontier]);
                    for (time, updates) in lookup.advance(until, until, |time| time) {
                        let capability = held.delayed(&time);
                        let updates = updates.into_iter().map(|(row, diff)| (row, time, diff));
                        output.session(&capability).give_iterator(updates);
                    }
                    if lookup.is_idle() && lookup.batches.is_empty() {
                        held = CapabilitySet::new();
                    } else if let Some(first) = held.first().map(|first| *first.time()) {
                        held.downgrade([until.max(first)]);
                    }
                }
            },
        )
        .as_collection()
}

/// Rows meet their partners where these are arranged.
fn worker_of(((key, row), _, _): &((Row, Row), u64, i64)) -> u64 {
    if key.is_empty() { row.hashed() } else { key.hashed() }
}

/// Before which time all has come.
fn complete(frontiers: [&MutableAntichain<u64>; 2]) -> u64 {
    frontiers.into_iter().filter_map(|frontier| frontier.frontier().first().copied()).min().unwrap_or(u64::MAX)
}

/// Rows with their key, and by how much each changes.
type Fresh = Vec<(Row, Row, i64)>;
type Batch = <RowTrace as TraceReader>::Batch;

/// What a look-up knows of its inputs.
struct Lookup<M> {
    trace: RowTrace,
    wanted: Wanted,
    made: M,
    /// Rows of times that may not be complete.
    coming: BTreeMap<u64, Fresh>,
    /// Changes of the table, with the time at which each ends: one may come before all its times are complete.
    batches: Vec<(u64, Batch)>,
    /// What of the table came in.
    received: Antichain<u64>,
    /// Before which times rows, and changes of the table, were dealt with.
    done: u64,
    seen: u64,
    kept: Kept,
}

impl<M: Fn(&[u8], Option<&[u8]>) -> Row> Lookup<M> {
    fn new(mut trace: RowTrace, wanted: Wanted, made: M) -> Self {
        let (coming, batches, kept) = (BTreeMap::new(), Vec::new(), Kept::default());
        // What an imported table holds already may be merged before it comes: where it ends now is kept as a cut.
        let mut received = Antichain::new();
        trace.read_upper(&mut received);
        Lookup { trace, wanted, made, coming, batches, received, done: 0, seen: 0, kept }
    }

    fn take(&mut self, rows: impl IntoIterator<Item = ((Row, Row), u64, i64)>) {
        for ((key, row), time, diff) in rows {
            self.coming.entry(time).or_default().push((key, row, diff));
        }
    }

    fn receive(&mut self, span: SpanOf<RowTrace>) {
        if self.received.less_equal(&least(span.lower())) {
            self.received.clone_from(span.upper());
        }
        let end = least(span.upper());
        self.batches.extend(span.inner.map(|batch| (end, batch)));
    }

    /// Whether no rows wait for a later time.
    fn is_idle(&self) -> bool {
        self.coming.is_empty()
    }

    /// Deals with the rows of all times before `until`, one after the other, and with the table's changes of times before
    /// `through`, each at the time that `at` says; what each time changes.
    fn advance(&mut self, until: u64, through: u64, at: impl Fn(u64) -> u64) -> Vec<(u64, Vec<(Row, i64)>)> {
        self.trace.advance_upper(&mut self.received);
        if until <= self.done {
            return Vec::new();
        }
        let later = self.coming.split_off(&until);
        let mut fresh = std::mem::replace(&mut self.coming, later);
        let mut changed = self.kept.changes(&self.batches, &fresh, self.seen..through, at);
        let times: BTreeSet<u64> = fresh.keys().chain(changed.keys()).copied().collect();
        let mut made = Vec::with_capacity(times.len());
        if !times.is_empty() {
            let through = self.trace.batches_through(self.received.borrow());
            let table = Table::new(through.expect("what was received ends where a batch does"));
            let mut step = Step { table, wanted: self.wanted, made: &self.made };
            for time in times {
                let mut updates = Vec::new();
                let give = &mut |row, diff| updates.push((row, diff));
                step.change(time, &self.kept, changed.remove(&time).unwrap_or_default(), give);
                step.add(time, &mut self.kept, fresh.remove(&time).unwrap_or_default(), give);
                made.push((time, updates));
            }
        }
        self.done = until;
        self.seen = self.seen.max(through);
        self.batches.retain(|(end, _)| *end > self.seen);
        if until < u64::MAX {
            self.trace.set_logical_compaction(Antichain::from_elem(until).borrow());
            self.trace.set_physical_compaction(self.received.borrow());
        }
        made
    }
}

fn least(frontier: &Antichain<u64>) -> u64 {
    frontier.first().copied().unwrap_or(u64::MAX)
}

/// What is changed of the table at a time, by key: partners and by how much.
type Changed = BTreeMap<Row, Vec<(Row, i64)>>;

/// The rows so far, with their multiplicities: key and row end to end. Encodings end by themselves, so what begins with a
/// key is of that key.
#[derive(Default)]
struct Kept(BTreeMap<Box<[u8]>, i64>);

impl Kept {
    fn add(&mut self, key: &[u8], row: &[u8], diff: i64) {
        let both = [key, row].concat();
        match self.0.get_mut(both.as_slice()) {
            Some(count) => {
                *count += diff;
                if *count == 0 {
                    self.0.remove(both.as_slice());
                }
            }
            None => drop(self.0.insert(both.into(), diff)),
        }
    }

    fn of<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = (&'a [u8], i64)> {
        let from = self.0.range::<[u8], _>((Bound::Included(key), Bound::Unbounded));
        from.map_while(|(both, count)| Some((both.strip_prefix(key)?, *count)))
    }

    /// The table's changes in a range of times that meet these rows or fresh ones, at the time that `at` says.
    fn changes(
        &self,
        batches: &[(u64, Batch)],
        fresh: &BTreeMap<u64, Fresh>,
        times: Range<u64>,
        at: impl Fn(u64) -> u64,
    ) -> BTreeMap<u64, Changed> {
        let mut changes = BTreeMap::<u64, Changed>::new();
        if batches.is_empty() || self.0.is_empty() && fresh.is_empty() {
            return changes;
        }
        let fresh: HashSet<&[u8]> = fresh.values().flatten().map(|(key, _, _)| key.as_slice()).collect();
        for (_, batch) in batches {
            let mut cursor = batch.cursor();
            while let Some(key) = cursor.get_key(batch) {
                if !key.is_empty() && (fresh.contains(key) || self.of(key).next().is_some()) {
                    while let Some(partner) = cursor.get_val(batch) {
                        cursor.map_times(batch, |time, diff| {
                            if times.contains(time) {
                                let of_key = changes.entry(at(*time)).or_default().entry(key.to_vec()).or_default();
                                of_key.push((partner.to_vec(), *diff));
                            }
                        });
                        cursor.step_val(batch);
                    }
                }
                cursor.step_key(batch);
            }
        }
        changes
    }
}

/// The table as it was received.
struct Table {
    cursor: CursorList<BatchCursor<RowTrace>>,
    storage: Vec<Batch>,
}

impl Table {
    fn new(batches: Vec<Batch>) -> Self {
        let (cursor, storage) = cursor_list(batches);
        Table { cursor, storage }
    }

    /// Calls `each` with the partners of a key at a time, and tells how many there are. Keys ascend until `rewind`.
    fn partners(&mut self, key: &[u8], time: u64, mut each: impl FnMut(&[u8], i64)) -> i64 {
        let Table { cursor, storage } = self;
        let mut count = 0;
        cursor.seek_key(storage, key);
        if cursor.get_key(storage) == Some(key) {
            cursor.rewind_vals(storage);
            while let Some(partner) = cursor.get_val(storage) {
                let mut times = 0;
                cursor.map_times(storage, |at, diff| times += if *at <= time { *diff } else { 0 });
                if times != 0 {
                    each(partner, times);
                }
                count += times;
                cursor.step_val(storage);
            }
        }
        count
    }

    fn rewind(&mut self) {
        self.cursor.rewind_keys(&self.storage);
    }
}

/// Takes the changes of one time after the other.
struct Step<'a, M> {
    table: Table,
    wanted: Wanted,
    made: &'a M,
}

impl<M: Fn(&[u8], Option<&[u8]>) -> Row> Step<'_, M> {
    /// The table changed: its changes meet the rows that were there before.
    fn change(&mut self, time: u64, kept: &Kept, changed: Changed, give: &mut dyn FnMut(Row, i64)) {
        self.table.rewind();
        for (key, partners) in changed {
            let count = self.table.partners(&key, time, |_, _| {});
            let before = count - partners.iter().map(|(_, diff)| diff).sum::<i64>();
            let was = self.wanted.by_itself(before > 0);
            let is = self.wanted.by_itself(count > 0);
            for (row, times) in kept.of(&key) {
                for (partner, diff) in partners.iter().filter(|_| self.wanted.pairs()) {
                    give((self.made)(row, Some(partner)), times * diff);
                }
                if was != is {
                    give((self.made)(row, None), if is { times } else { -times });
                }
            }
        }
    }

    /// Rows came and went: they meet the table as it is now.
    fn add(&mut self, time: u64, kept: &mut Kept, mut rows: Fresh, give: &mut dyn FnMut(Row, i64)) {
        rows.sort_unstable();
        self.table.rewind();
        for (key, row, diff) in &rows {
            let count = if key.is_empty() {
                0
            } else {
                kept.add(key, row, *diff);
                self.table.partners(key, time, |partner, times| {
                    if self.wanted.pairs() {
                        give((self.made)(row, Some(partner)), times * diff);
                    }
                })
            };
            if self.wanted.by_itself(count > 0) {
                give((self.made)(row, None), *diff);
            }
        }
    }
}

#[cfg(test)]
mod tests;
