//! What changes with the batches of an arrangement, over totally ordered times: each change costs a look-up of its key,
//! and nothing is kept but the arrangement.

use differential_dataflow::operators::arrange::Arranged;
use differential_dataflow::trace::TraceReader;
use differential_dataflow::trace::cursor::{Cursor, cursor_list};
use differential_dataflow::{AsCollection, Data, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::Operator;
use timely::progress::Antichain;

use crate::rows::{Rows, arrange_keys};

/// Each row whose multiplicity is positive, once.
pub fn distinct<'scope>(rows: Rows<'scope>, name: &str) -> Rows<'scope> {
    on_batches(arrange_keys(rows, name), name, |batches, before, give| {
        let (mut changes, change_storage) = cursor_list(batches);
        let (mut counts, count_storage) = cursor_list(before);
        while let Some(row) = changes.get_key(&change_storage) {
            let mut count = 0;
            counts.seek_key(&count_storage, row);
            if counts.get_key(&count_storage) == Some(row) {
                counts.map_times(&count_storage, |_, diff| count += diff);
            }
            changes.map_times(&change_storage, |time, diff| {
                let was = count > 0;
                count += diff;
                match (was, count > 0) {
                    (false, true) => give(row.to_vec(), *time, 1),
                    (true, false) => give(row.to_vec(), *time, -1),
                    (true, true) | (false, false) => {}
                }
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
