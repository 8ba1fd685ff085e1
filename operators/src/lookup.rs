//! Equi-joins of rows with a table: a row looks up its partners in the table's arrangement, and is kept by its key so that
//! a change of the table finds it. One operator does what takes a dozen when it is made of general ones: an arrangement of
//! the rows, their pairs, those that have a partner, and those that have none.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;

use differential_dataflow::hashable::Hashable;
use differential_dataflow::trace::cursor::{Cursor, CursorList, cursor_list};
use differential_dataflow::trace::{BatchCursor, Navigable, TraceReader};
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::Operator;
use timely::progress::Antichain;

use crate::rows::{Row, RowArranged, RowTrace, Rows};

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
    // Rows meet their partners where these are arranged.
    let exchange = Exchange::new(
        |((key, row), _, _): &((Row, Row), u64, i64)| {
            if key.is_empty() { row.hashed() } else { key.hashed() }
        },
    );
    let mut trace = table.trace;
    rows.inner
        .binary_frontier::<_, CapacityContainerBuilder<Vec<(Row, u64, i64)>>, _, _, _, _>(
            table.stream,
            exchange,
            Pipeline,
            name,
            move |_, _| {
                let mut coming: BTreeMap<u64, Vec<(Row, Row, i64)>> = BTreeMap::new();
                // With the time at which each ends; one may come before the frontier tells that its times are complete.
                let mut batches: Vec<(u64, <RowTrace as TraceReader>::Batch)> = Vec::new();
                // What of the table came in; what of both inputs was dealt with.
                let mut received = Antichain::from_elem(0_u64);
                let mut done = 0_u64;
                let mut held = CapabilitySet::new();
                let mut kept = Kept::default();
                move |(rows, rows_frontier), (changes, table_frontier), output| {
                    rows.for_each(|capability, data| {
                        capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                        for ((key, row), time, diff) in data.drain(..) {
                            coming.entry(time).or_default().push((key, row, diff));
                        }
                    });
                    changes.for_each(|capability, spans| {
                        capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                        for span in spans.drain(..) {
                            if received.less_equal(&least(span.lower())) {
                                received.clone_from(span.upper());
                            }
                            let end = least(span.upper());
                            batches.extend(span.inner.map(|batch| (end, batch)));
                        }
                    });
                    trace.advance_upper(&mut received);
                    let until = [rows_frontier.frontier(), table_frontier.frontier()]
                        .map(|frontier| frontier.first().copied().unwrap_or(u64::MAX));
                    let until = until[0].min(until[1]);
                    if until <= done {
                        return;
                    }
                    let later = coming.split_off(&until);
                    let mut fresh = std::mem::replace(&mut coming, later);
                    let mut changed = kept.changes(&batches, &fresh, done..until);
                    let times: Vec<u64> = fresh.keys().chain(changed.keys()).copied().collect();
                    if !times.is_empty() {
                        let through = trace.batches_through(received.borrow());
                        let table = Table::new(through.expect("what was received ends where a batch does"));
                        let mut step = Step { table, wanted, made: &made };
                        for time in BTreeSet::from_iter(times) {
                            let capability = held.delayed(&time);
                            let mut session = output.session(&capability);
                            let give = &mut |row, diff| session.give((row, time, diff));
                            step.change(time, &kept, changed.remove(&time).unwrap_or_default(), give);
                            step.add(time, &mut kept, fresh.remove(&time).unwrap_or_default(), give);
                        }
                    }
                    done = until;
                    batches.retain(|(end, _)| *end > until);
                    if coming.is_empty() && batches.is_empty() {
                        held = CapabilitySet::new();
                    } else if let Some(first) = held.first().map(|first| *first.time()) {
                        held.downgrade([until.max(first)]);
                    }
                    if until < u64::MAX {
                        trace.set_logical_compaction(Antichain::from_elem(until).borrow());
                        trace.set_physical_compaction(received.borrow());
                    }
                }
            },
        )
        .as_collection()
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

    /// The table's changes in a range of times that meet these rows or fresh ones.
    fn changes(
        &self,
        batches: &[(u64, <RowTrace as TraceReader>::Batch)],
        fresh: &BTreeMap<u64, Vec<(Row, Row, i64)>>,
        times: std::ops::Range<u64>,
    ) -> BTreeMap<u64, Changed> {
        let mut changes = BTreeMap::<u64, Changed>::new();
        if self.0.is_empty() && fresh.is_empty() {
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
                                let of_key = changes.entry(*time).or_default().entry(key.to_vec()).or_default();
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
    storage: Vec<<RowTrace as TraceReader>::Batch>,
}

impl Table {
    fn new(batches: Vec<<RowTrace as TraceReader>::Batch>) -> Self {
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
    fn add(&mut self, time: u64, kept: &mut Kept, mut rows: Vec<(Row, Row, i64)>, give: &mut dyn FnMut(Row, i64)) {
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
