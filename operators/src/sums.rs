//! Sums by key over totally ordered times, in a hash table: each change costs a look-up of its key, and nothing is kept
//! but the sums. An arrangement would keep keys in order, for readers that this has none of.

mod table;

use std::collections::BTreeMap;

use differential_dataflow::difference::{IsZero, Semigroup};
use differential_dataflow::hashable::Hashable;
use differential_dataflow::{AsCollection, Data, VecCollection};
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::Operator;

use crate::accumulator::Accumulator;
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
    let exchange = Exchange::new(|(key, _, _): &(Row, u64, Accumulator)| key.hashed());
    let scope = keys.inner.scope();
    keys.inner
        .unary_frontier::<CapacityContainerBuilder<Vec<((Row, D), u64, i64)>>, _, _, _>(exchange, name, |_, info| {
            let mut table = Table::new(scope.worker(), info.global_id);
            let mut held = CapabilitySet::new();
            let mut coming = BTreeMap::<u64, Coming>::new();
            move |(input, frontier), output| {
                input.for_each(|capability, updates| {
                    capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                    for (key, time, sums) in updates.drain(..) {
                        coming.entry(time).or_default().add(key, sums);
                    }
                });
                let until = frontier.frontier().first().copied().unwrap_or(u64::MAX);
                while let Some(first) = coming.first_entry().filter(|first| *first.key() < until) {
                    let (time, Coming(changes)) = first.remove_entry();
                    let capability = held.delayed(&time);
                    let mut session = output.session(&capability);
                    for (key, sums) in changes.into_iter().filter(|(_, sums)| !sums.is_zero()) {
                        let Change { old, new } = table.add(&key, sums);
                        if let Some(old) = old {
                            session.give(((key.clone(), made(old)), time, -1));
                        }
                        if let Some(new) = new {
                            session.give(((key, made(new)), time, 1));
                        }
                    }
                }
                table.settle();
                match coming.first_key_value() {
                    Some((first, _)) => held.downgrade([*first]),
                    None => held = CapabilitySet::new(),
                }
            }
        })
        .as_collection()
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
