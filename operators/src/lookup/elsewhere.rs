//! Look-ups in a table that another dataflow of the worker keeps, and that does not move with the ticks: a tick in which
//! nothing of it changes costs neither the table nor the look-up anything.

use std::collections::BTreeSet;
use std::rc::Rc;

use differential_dataflow::operators::arrange::TraceReplayInstruction;
use differential_dataflow::trace::TraceReader;
use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::operate::FrontierInterest;

use super::{KeyedRows, Lookup, Wanted, complete, least, worker_of};
use crate::rows::{Row, RowTrace, Rows};

/// As [`super::lookup`], with a table of another dataflow. `changed` has an update on each worker at each time at which the
/// table is another than at the time before of `rows` and `changed`. By the time that it comes, and that rows come,
/// everything of the table up to then is in its trace: whoever moves both sees to it.
pub fn lookup_elsewhere<'scope>(
    rows: KeyedRows<'scope>,
    mut table: RowTrace,
    changed: VecCollection<'scope, u64, (), i64>,
    name: &str,
    wanted: Wanted,
    made: impl Fn(&[u8], Option<&[u8]>) -> Row + 'static,
) -> Rows<'scope> {
    let scope = rows.inner.scope();
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let info = builder.operator_info();
    let mut rows = builder.new_input(rows.inner, Exchange::new(worker_of));
    let mut changed = builder.new_input(changed.inner, Pipeline);
    // Nothing is to be done at a time unless something came.
    (0..2).for_each(|input| builder.set_notify_for(input, FrontierInterest::IfCapability));
    let (output, made_rows) = builder.new_output::<Vec<(Row, u64, i64)>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<_>>::from(output);
    builder.build(move |capabilities| {
        drop(capabilities);
        let batches = table.new_listener(scope.activator_for(Rc::clone(&info.address)));
        // What the table holds already is no change.
        batches.1.borrow_mut().clear();
        let mut lookup = Lookup::new(table, wanted, made);
        let (mut held, mut times) = (CapabilitySet::new(), BTreeSet::<u64>::new());
        move |frontiers| {
            rows.for_each(|capability, rows| {
                capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                lookup.take(rows);
            });
            changed.for_each(|capability, changes| {
                capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                times.extend(changes.drain(..).map(|((), time, _)| time));
            });
            for instruction in batches.1.borrow_mut().drain(..) {
                if let TraceReplayInstruction::Span(span, _) = instruction {
                    let end = least(span.upper());
                    lookup.batches.extend(span.inner.map(|batch| (end, batch)));
                }
            }
            let until = complete([&frontiers[0], &frontiers[1]]);
            let later = times.split_off(&until);
            let past = std::mem::replace(&mut times, later);
            lookup.trace.read_upper(&mut lookup.received);
            let through = past.last().map_or(0, |last| last + 1);
            let at = |time| past.range(time..).next().copied().unwrap_or(time);
            let mut output = output.activate();
            for (time, updates) in lookup.advance(until, through, at) {
                let capability = held.delayed(&time);
                let updates = updates.into_iter().map(|(row, diff)| (row, time, diff));
                output.session(&capability).give_iterator(updates);
            }
            if lookup.is_idle() && times.is_empty() {
                held = CapabilitySet::new();
            } else if let Some(first) = held.first().map(|first| *first.time()) {
                held.downgrade([until.max(first)]);
            }
        }
    });
    made_rows.as_collection()
}
