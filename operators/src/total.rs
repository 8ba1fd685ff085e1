//! Sums by key over totally ordered times: each change costs a look-up of its key, and nothing is kept but the sums.

use differential_dataflow::difference::{IsZero, Semigroup};
use differential_dataflow::operators::arrange::Arranged;
use differential_dataflow::trace::TraceReader;
use differential_dataflow::trace::cursor::{Cursor, cursor_list};
use differential_dataflow::trace::implementations::containers::BatchContainer;
use differential_dataflow::{AsCollection, Data, ExchangeData, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::Operator;
use timely::progress::Antichain;

use crate::accumulator::Accumulator;
use crate::rows::{KeyArranged, KeySums, Row, Rows, arrange_keys, arrange_sums};

/// Each key with what is made of its sum: the old pair goes (-1) and the other comes (+1) when the sum changes. Keys
/// whose sum is zero are absent.
pub fn accumulate<'scope, D: Data>(
    keys: KeySums<'scope>,
    name: &str,
    made: impl Fn(&Accumulator) -> D + 'static,
) -> VecCollection<'scope, u64, (Row, D), i64> {
    let arranged = arrange_sums(keys, name);
    on_change(arranged, name, move |key, old: Option<&Accumulator>, new: Option<&Accumulator>, give| {
        if old == new {
            return;
        }
        if let Some(old) = old {
            give((key.to_vec(), made(old)), -1);
        }
        if let Some(new) = new {
            give((key.to_vec(), made(new)), 1);
        }
    })
}

/// Each row whose multiplicity is positive, once.
pub fn distinct<'scope>(rows: Rows<'scope>, name: &str) -> Rows<'scope> {
    let arranged = arrange_keys(rows, name);
    on_change(arranged, name, |row, old: Option<&i64>, new: Option<&i64>, give| {
        let present = |count: Option<&i64>| count.is_some_and(|count| *count > 0);
        match (present(old), present(new)) {
            (false, true) => give(row.to_vec(), 1),
            (true, false) => give(row.to_vec(), -1),
            (true, true) | (false, false) => {}
        }
    })
}

/// Calls `logic` with a key's sum before and after each time at which it changed; `None` is a sum of zero.
fn on_change<'scope, C, R, D, L>(
    arranged: KeyArranged<'scope, C>,
    name: &str,
    mut logic: L,
) -> VecCollection<'scope, u64, D, i64>
where
    C: BatchContainer<Owned = R>,
    R: ExchangeData + Semigroup,
    D: Data,
    L: FnMut(&[u8], Option<&R>, Option<&R>, &mut dyn FnMut(D, i64)) + 'static,
{
    on_batches(arranged, name, move |batches, before, give| {
        let (mut changes, change_storage) = cursor_list(batches);
        let (mut sums, sum_storage) = cursor_list(before);
        while let Some(key) = changes.get_key(&change_storage) {
            let mut sum: Option<R> = None;
            sums.seek_key(&sum_storage, key);
            if sums.get_key(&sum_storage) == Some(key) {
                sums.map_times(&sum_storage, |_, diff| add(&mut sum, C::into_owned(diff)));
            }
            changes.map_times(&change_storage, |time, diff| {
                let old = sum.clone();
                add(&mut sum, C::into_owned(diff));
                logic(key, old.as_ref(), sum.as_ref(), &mut |data, count| give(data, *time, count));
            });
            changes.step_key(&change_storage);
        }
    })
}

/// Calls `logic` with batches that came and those before them; it gives data, a time of the batches and a difference.
pub(crate) fn on_batches<'scope, Tr, D, L>(
    arranged: Arranged<'scope, Tr>,
    name: &str,
    mut logic: L,
) -> VecCollection<'scope, u64, D, i64>
where
    Tr: TraceReader<Time = u64> + Clone + 'static,
    D: Data,
    L: FnMut(Vec<Tr::Batch>, Vec<Tr::Batch>, &mut dyn FnMut(D, u64, i64)) + 'static,
{
    let mut trace = arranged.trace.clone();
    arranged
        .stream
        .unary_frontier::<CapacityContainerBuilder<Vec<(D, u64, i64)>>, _, _, _>(Pipeline, name, move |_, _| {
            let mut lower = Antichain::from_elem(0u64);
            let mut upper = Antichain::from_elem(0u64);
            move |(input, _frontier), output| {
                lower.clone_from(&upper);
                let mut batches = Vec::new();
                let mut capabilities = CapabilitySet::new();
                input.for_each(|capability, spans| {
                    for capability in capability.retain_stamp(0).iter() {
                        capabilities.insert(capability.clone());
                    }
                    for span in spans.drain(..) {
                        upper.clone_from(span.upper());
                        batches.extend(span.inner);
                    }
                });
                if !capabilities.is_empty() {
                    let mut session = output.session(&capabilities);
                    let before =
                        trace.batches_through(lower.borrow()).expect("lower is the upper of a batch seen before");
                    logic(batches, before, &mut |data, time, count| session.give((data, time, count)));
                }
                trace.advance_upper(&mut upper);
                trace.set_logical_compaction(upper.borrow());
                trace.set_physical_compaction(upper.borrow());
            }
        })
        .as_collection()
}

fn add<R: Semigroup>(sum: &mut Option<R>, diff: R) {
    match sum {
        Some(sum) => sum.plus_equals(&diff),
        None => *sum = Some(diff),
    }
    if sum.as_ref().is_some_and(IsZero::is_zero) {
        *sum = None;
    }
}
