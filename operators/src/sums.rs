//! Sums by key over totally ordered times, in a hash table: each change costs a look-up of its key, and nothing is kept
//! but the sums. An arrangement would keep keys in order, for readers that this has none of.

mod table;

use differential_dataflow::difference::{IsZero, Semigroup};
use differential_dataflow::hashable::Hashable;
use differential_dataflow::{Data, VecCollection};
use foldhash::fast::RandomState;
use indexmap::IndexMap;

use crate::accumulator::Accumulator;
use crate::complete::{Complete, at_complete_times};
use crate::rows::Row;
use table::{Change, Table};

/// What is added to the sums of keys.
pub type KeySums<'scope> = VecCollection<'scope, u64, Row, Accumulator>;

/// Each key with what is made of its sum: the old pair goes (-1) and the other comes (+1) when the sum changes. Keys
/// whose sum is zero are absent.
pub fn accumulate<'scope, D: Data>(
    keys: KeySums<'scope>,
    name: &str,
    made: impl Fn(Accumulator) -> D + 'static,
) -> VecCollection<'scope, u64, (Row, D), i64> {
    let scope = keys.inner.scope();
    at_complete_times(
        keys,
        |key| key.hashed(),
        name,
        |info| Sums { table: Table::new(scope.worker(), info.global_id), made },
    )
}

struct Sums<F> {
    table: Table,
    made: F,
}

impl<D, F: Fn(Accumulator) -> D> Complete<Row, Accumulator, (Row, D)> for Sums<F> {
    type Coming = Coming;

    fn take(coming: &mut Coming, key: Row, sums: Accumulator) {
        coming.add(key, sums);
    }

    fn make(&mut self, Coming(changes): Coming, give: &mut dyn FnMut((Row, D), i64)) {
        let Sums { table, made } = self;
        for (key, sums) in changes.into_iter().filter(|(_, sums)| !sums.is_zero()) {
            let Change { old, new } = table.add(&key, sums);
            if let Some(old) = old {
                give((key.clone(), made(old)), -1);
            }
            if let Some(new) = new {
                give((key, made(new)), 1);
            }
        }
    }

    fn settle(&mut self) {
        self.table.settle();
    }
}

/// What is added at a time, once a key.
#[derive(Default)]
struct Coming(IndexMap<Row, Accumulator, RandomState>);

impl Coming {
    fn add(&mut self, key: Row, sums: Accumulator) {
        match self.0.get_mut(&key) {
            Some(known) => known.plus_equals(&sums),
            None => drop(self.0.insert(key, sums)),
        }
    }
}

#[cfg(test)]
mod tests;
