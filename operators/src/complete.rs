//! Operators that take each time as a whole, one after the other, once nothing more can come at it.

use std::collections::BTreeMap;

use differential_dataflow::{AsCollection, Data, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::{Operator, OperatorInfo};

/// What an operator makes of complete times.
pub(crate) trait Complete<D, R, M> {
    /// What came at a time.
    type Coming: Default + 'static;

    /// Takes an update of a time that may not be complete.
    fn take(coming: &mut Self::Coming, data: D, diff: R);

    /// Deals with a time, and gives what it makes.
    fn make(&mut self, coming: Self::Coming, give: &mut dyn FnMut(M, i64));

    /// The operator rests.
    fn settle(&mut self);
}

/// Builds the operator; `worker_of` says where an update belongs.
pub(crate) fn at_complete_times<'scope, D, R, M, L>(
    collection: VecCollection<'scope, u64, D, R>,
    worker_of: impl Fn(&D) -> u64 + 'static,
    name: &str,
    logic: impl FnOnce(OperatorInfo) -> L,
) -> VecCollection<'scope, u64, M, i64>
where
    D: differential_dataflow::ExchangeData,
    R: differential_dataflow::ExchangeData,
    M: Data,
    L: Complete<D, R, M> + 'static,
{
    let exchange = Exchange::new(move |(data, _, _): &(D, u64, R)| worker_of(data));
    collection
        .inner
        .unary_frontier::<CapacityContainerBuilder<Vec<(M, u64, i64)>>, _, _, _>(exchange, name, |_, info| {
            let mut logic = logic(info);
            let mut held = CapabilitySet::new();
            let mut coming = BTreeMap::<u64, L::Coming>::new();
            move |(input, frontier), output| {
                input.for_each(|capability, updates| {
                    capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                    for (data, time, diff) in updates.drain(..) {
                        L::take(coming.entry(time).or_default(), data, diff);
                    }
                });
                let until = frontier.frontier().first().copied().unwrap_or(u64::MAX);
                while let Some(first) = coming.first_entry().filter(|first| *first.key() < until) {
                    let (time, complete) = first.remove_entry();
                    let capability = held.delayed(&time);
                    let mut session = output.session(&capability);
                    logic.make(complete, &mut |made, diff| session.give((made, time, diff)));
                }
                logic.settle();
                match coming.first_key_value() {
                    Some((first, _)) => held.downgrade([*first]),
                    None => held = CapabilitySet::new(),
                }
            }
        })
        .as_collection()
}
