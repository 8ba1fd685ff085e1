//! Rows that depend on what the time is: at each tick they are made anew of all rows, and what differs comes out.

use std::collections::{BTreeMap, HashMap, VecDeque};

use differential_dataflow::{AsCollection, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::Operator;

use crate::rows::{Row, Rows};

/// Rows with their multiplicities.
pub type Counts = HashMap<Row, i64, foldhash::fast::RandomState>;

/// Makes rows at each tick of all rows that are there then. `ticks` has one update at each tick, on each worker; what
/// comes between two of them is part of the later one. `make` is linear: it says what each row of its input becomes.
pub fn at_each_tick<'scope, L>(
    rows: Rows<'scope>,
    ticks: VecCollection<'scope, u64, (), i64>,
    name: &str,
    mut make: L,
) -> Rows<'scope>
where
    L: FnMut(u64, &Counts, &mut dyn FnMut(Row, i64)) + 'static,
{
    let (mut state, mut waiting) = (State::default(), VecDeque::<(u64, Capability<u64>)>::new());
    rows.inner
        .binary_frontier::<_, CapacityContainerBuilder<Vec<(Row, u64, i64)>>, _, _, _, _>(
            ticks.inner,
            Pipeline,
            Pipeline,
            name,
            move |_, _| {
                move |(rows, frontier), (ticks, _), output| {
                    rows.for_each(|_, updates| state.take(updates.drain(..)));
                    ticks.for_each(|capability, updates| {
                        let Some(capability) = capability.retain_least(0) else { return };
                        waiting.extend(updates.drain(..).map(|((), tick, _)| (tick, capability.delayed(&tick))));
                    });
                    while let Some((tick, capability)) = waiting.pop_front_if(|(tick, _)| !frontier.less_equal(tick)) {
                        let mut session = output.session(&capability);
                        state.advance(tick, &mut make, |row, diff| session.give((row, tick, diff)));
                    }
                }
            },
        )
        .as_collection()
}

/// What is there, and what was made of it at the last tick.
#[derive(Default)]
struct State {
    /// Updates by time, of ticks that have not come.
    coming: BTreeMap<u64, Vec<(Row, i64)>>,
    rows: Counts,
    made: Counts,
}

impl State {
    fn take(&mut self, updates: impl Iterator<Item = (Row, u64, i64)>) {
        for (row, time, diff) in updates {
            self.coming.entry(time).or_default().push((row, diff));
        }
    }

    fn advance(
        &mut self,
        tick: u64,
        make: &mut impl FnMut(u64, &Counts, &mut dyn FnMut(Row, i64)),
        mut give: impl FnMut(Row, i64),
    ) {
        let later = self.coming.split_off(&(tick + 1));
        for (row, diff) in std::mem::replace(&mut self.coming, later).into_values().flatten() {
            add(&mut self.rows, row, diff);
        }
        let mut made = Counts::with_capacity_and_hasher(self.made.len(), foldhash::fast::RandomState::default());
        make(tick, &self.rows, &mut |row, diff| add(&mut made, row, diff));
        for (row, count) in &made {
            let diff = count - self.made.get(row).copied().unwrap_or(0);
            if diff != 0 {
                give(row.clone(), diff);
            }
        }
        for (row, count) in std::mem::replace(&mut self.made, made) {
            if !self.made.contains_key(&row) {
                give(row, -count);
            }
        }
    }
}

fn add(counts: &mut Counts, row: Row, diff: i64) {
    use std::collections::hash_map::Entry;
    match counts.entry(row) {
        Entry::Occupied(mut count) => {
            *count.get_mut() += diff;
            if *count.get() == 0 {
                count.remove();
            }
        }
        Entry::Vacant(vacant) if diff != 0 => drop(vacant.insert(diff)),
        Entry::Vacant(_) => {}
    }
}
