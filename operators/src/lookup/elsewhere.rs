//! Look-ups in tables that other dataflows of the worker keep, and that do not move with the ticks: a tick in which
//! nothing of them changes costs neither the tables nor the look-ups anything.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
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
use timely::scheduling::Activator;

use super::{KeyedRows, Lookup, Wanted, complete, least, worker_of};
use crate::rows::{Row, RowSpine, RowTrace, Rows};

/// Updates of rows.
pub type Updates = Vec<(Row, u64, i64)>;
/// The same with the keys that they are looked up by.
pub type KeyedUpdates = Vec<((Row, Row), u64, i64)>;

/// Makes a row of a row and its partner, or of a row by itself.
pub type Made = Box<dyn Fn(&[u8], Option<&[u8]>) -> Row>;

/// A table of another dataflow, and what is made of a row and its partner or of a row by itself.
pub struct Elsewhere {
    /// What the table is looked up in.
    pub table: RowTrace,
    /// Which rows are made.
    pub wanted: Wanted,
    /// Makes them.
    pub made: Made,
}

/// A further look-up of what was made: how it is keyed, and where it is looked up.
pub type Further = (Box<dyn FnMut(Updates) -> KeyedUpdates>, Elsewhere);

/// As [`super::lookup`], with a table of another dataflow. `moves` has an update on each worker at each time at which one
/// of the tables is another than at the time before of `rows` and `moves`. By the time that it comes, and that rows come,
/// everything of the tables up to then is in their traces: whoever moves both sees to it.
///
/// What is made goes through further look-ups at once; there can be some only where there is one worker, since each may
/// find partners on another one.
pub fn lookup_elsewhere<'scope>(
    rows: KeyedRows<'scope>,
    moves: VecCollection<'scope, u64, (), i64>,
    name: &str,
    first: Elsewhere,
    further: Vec<Further>,
) -> Rows<'scope> {
    let scope = rows.inner.scope();
    assert!(further.is_empty() || scope.peers() == 1, "rows meet their partners where these are");
    let mut builder = OperatorBuilder::new(name.to_owned(), scope);
    let info = builder.operator_info();
    let mut rows = builder.new_input(rows.inner, Exchange::new(worker_of));
    let mut moves = builder.new_input(moves.inner, Pipeline);
    // Nothing is to be done at a time unless something came.
    (0..2).for_each(|input| builder.set_notify_for(input, FrontierInterest::IfCapability));
    let (output, made_rows) = builder.new_output::<Updates>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<_>>::from(output);
    builder.build(move |capabilities| {
        drop(capabilities);
        let follow = |table| Followed::new(table, scope.activator_for(Rc::clone(&info.address)));
        let mut first = follow(first);
        let mut further: Vec<_> = further.into_iter().map(|(keyed, table)| (keyed, follow(table))).collect();
        let (mut held, mut times) = (CapabilitySet::new(), BTreeSet::<u64>::new());
        move |frontiers| {
            rows.for_each(|capability, rows| {
                capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                first.lookup.take(rows.drain(..));
            });
            moves.for_each(|capability, moves| {
                capability.retain_stamp(0).iter().for_each(|one| held.insert(one.clone()));
                times.extend(moves.drain(..).map(|((), time, _)| time));
            });
            let until = complete([&frontiers[0], &frontiers[1]]);
            let later = times.split_off(&until);
            let moved = std::mem::replace(&mut times, later);
            let mut made = first.advance(until, &moved);
            if !made.is_empty() || !moved.is_empty() {
                for (keyed, followed) in &mut further {
                    followed.lookup.take(keyed(made));
                    made = followed.advance(until, &moved);
                }
            }
            let mut output = output.activate();
            for of_time in made.chunk_by(|(_, one, _), (_, other, _)| one == other) {
                let capability = held.delayed(&of_time[0].1);
                output.session(&capability).give_iterator(of_time.iter().cloned());
            }
            if first.lookup.is_idle() && times.is_empty() {
                held = CapabilitySet::new();
            } else if let Some(first) = held.first().map(|first| *first.time()) {
                held.downgrade([until.max(first)]);
            }
        }
    });
    made_rows.as_collection()
}

type Batches = Rc<(Activator, RefCell<VecDeque<TraceReplayInstruction<RowSpine>>>)>;

/// A look-up, and the batches that come to its table.
struct Followed {
    lookup: Lookup<Made>,
    batches: Batches,
}

impl Followed {
    fn new(Elsewhere { mut table, wanted, made }: Elsewhere, activator: Activator) -> Self {
        let batches = table.new_listener(activator);
        // What the table holds already is no change.
        batches.1.borrow_mut().clear();
        Followed { lookup: Lookup::new(table, wanted, made), batches }
    }

    /// Deals with all times before `until`; the table's changes are dealt with at the next of the times at which it moved.
    fn advance(&mut self, until: u64, moved: &BTreeSet<u64>) -> Updates {
        let Followed { lookup, batches } = self;
        for instruction in batches.1.borrow_mut().drain(..) {
            if let TraceReplayInstruction::Span(span, _) = instruction {
                let end = least(span.upper());
                lookup.batches.extend(span.inner.map(|batch| (end, batch)));
            }
        }
        lookup.trace.read_upper(&mut lookup.received);
        let through = moved.last().map_or(0, |last| last + 1);
        let at = |time| moved.range(time..).next().copied().unwrap_or(time);
        let made = lookup.advance(until, through, at).into_iter();
        made.flat_map(|(time, updates)| updates.into_iter().map(move |(row, diff)| (row, time, diff))).collect()
    }
}
