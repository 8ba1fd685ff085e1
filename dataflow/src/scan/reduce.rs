//! Scans of event tables with one window, summed up together: one change a key and tick is handed on.

use std::rc::Rc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use differential_dataflow::difference::{Abelian, IsZero, Semigroup};
use smallvec::SmallVec;
use watershed_model::TickTime;
use watershed_operators::{Accumulator, Row, reserve_gently};
use watershed_query::view::Window;

use super::{EventReader, Item};
use crate::aggregate::{Aggregates, Merger};
use crate::codec::Codec;
use crate::group::group;
use crate::keys::{Keys, Number};
use crate::pane::Pane;
use crate::panes::{Panes, Standing};

/// Panes that rows come to at a time, in most ticks; others are packed.
const OPEN_PANES: usize = 3;

/// What is handed on: a key, and what is added to its sums and its values.
type Emit<'a> = &'a mut dyn FnMut(Row, Accumulator);

/// The leaf of a reduce right above scans.
pub(crate) struct ReduceScan {
    readers: Vec<(&'static str, EventReader)>,
    codec: Codec,
    aggregates: Rc<Aggregates>,
    groups: Groups,
    now: Option<u64>,
}

/// Values of a group one after the other; one number fits without an allocation.
type Value = SmallVec<[u8; 16]>;

/// The groups of all panes.
struct Groups {
    panes: Panes<Pane>,
    /// Panes that are not packed.
    open: Vec<i64>,
    keys: Keys,
    /// By number, what was chosen of the values inside; empty without any.
    chosen: Vec<Value>,
    merger: Merger,
}

impl ReduceScan {
    /// `readers` by the table that each reads; all make the same columns.
    pub(crate) fn new(
        readers: Vec<(&'static str, EventReader)>,
        codec: Codec,
        aggregates: Rc<Aggregates>,
        window: Option<Window>,
    ) -> Self {
        let groups = Groups::new(window, aggregates.merger());
        ReduceScan { readers, codec, aggregates, groups, now: None }
    }

    pub(crate) fn step(&mut self, tick: u64, item: Option<Item>, emit: Emit<'_>) {
        let now_ns = TickTime(tick).as_nanoseconds();
        if self.now != Some(tick) {
            self.now = Some(tick);
            self.groups.advance(now_ns, emit);
        }
        let Some(Item::Events(stored)) = item else { return };
        let ReduceScan { readers, codec, aggregates, groups, .. } = self;
        for (_, reader) in readers.iter().filter(|(table, _)| *table == stored.table()) {
            reader.read(&stored, |columns, times| {
                if add(groups, codec, aggregates, columns, &times, now_ns, emit).is_err() {
                    reader.losses.add(&reader.owner, "malformed_batch", times.len() as i64, 0);
                }
            });
        }
        groups.pack();
    }
}

/// Adds rows to their groups.
fn add(
    groups: &mut Groups,
    codec: &Codec,
    aggregates: &Aggregates,
    columns: &[ArrayRef],
    times: &[i64],
    now_ns: i64,
    emit: Emit<'_>,
) -> Result<(), ArrowError> {
    let encoded = codec.encode(&columns[..aggregates.keys()])?;
    let tags: Vec<i64> = times.iter().map(|time| groups.panes.pane_of(*time)).collect();
    let found = group(&encoded, &tags);
    let mut table = aggregates.table(found.firsts.len());
    aggregates.add(columns, &found.of_row, None, &mut table)?;
    let mut chosen: Vec<Row> = Vec::new();
    if aggregates.has_candidates() {
        chosen = vec![aggregates.no_candidates(); found.firsts.len()];
        for (candidates, group) in aggregates.candidates(columns, times.len())?.iter().zip(&found.of_row) {
            let known = &mut chosen[*group as usize];
            *known = groups.merger.merge(&[known, candidates]);
        }
    }
    for (at, ((first, pane), mut sums)) in found.firsts.iter().zip(aggregates.accumulators(table)).enumerate() {
        if let Some(value) = chosen.get(at) {
            sums.add_value(value, 1);
        }
        groups.add(encoded.row(*first as usize), sums, *pane, now_ns, emit);
    }
    Ok(())
}

impl Groups {
    fn new(window: Option<Window>, merger: Merger) -> Self {
        let (open, chosen) = (Vec::new(), Vec::new());
        Groups { panes: Panes::new(window), open, keys: Keys::default(), chosen, merger }
    }

    /// Moves to a time: panes leave and enter.
    fn advance(&mut self, now_ns: i64, emit: Emit<'_>) {
        for (inside, pane) in self.panes.left(now_ns) {
            pane.each(|number, group| {
                if inside {
                    let key = self.keys.key(number).to_vec();
                    hand_on(key, self.taken(number, &group), emit);
                }
                self.release(number);
            });
        }
        for pane in self.panes.entered(now_ns) {
            let Some(contents) = self.panes.get(pane) else { continue };
            let mut entering = Vec::new();
            contents.each(|number, group| entering.push((number, group)));
            for (number, group) in entering {
                let key = self.keys.key(number).to_vec();
                hand_on(key, self.given(number, &group), emit);
            }
        }
        for pane in self.panes.settled() {
            pane.each(|number, _| self.release(number));
        }
        let past: Vec<i64> = self.open.extract_if(.., |pane| self.panes.is_past(*pane, now_ns)).collect();
        past.into_iter().for_each(|pane| self.pack_pane(pane));
    }

    /// Adds rows of a key to a pane.
    fn add(&mut self, key: &[u8], rows: Accumulator, pane: i64, now_ns: i64, emit: Emit<'_>) {
        let standing = self.panes.standing(pane, now_ns);
        let has_value = rows.values().next().is_some();
        let is_kept = self.panes.keeps(standing);
        if is_kept || has_value && standing == Standing::Inside {
            let number = self.keys.number_of(key);
            if is_kept {
                self.keep(number, pane, standing, &rows);
            }
            if standing == Standing::Inside {
                hand_on(key.to_vec(), self.given(number, &rows), emit);
            }
        } else if standing == Standing::Inside {
            hand_on(key.to_vec(), rows, emit);
        }
    }

    fn keep(&mut self, number: Number, pane: i64, standing: Standing, rows: &Accumulator) {
        let contents = self.panes.contents(pane, standing);
        if !self.open.contains(&pane) {
            self.open.push(pane);
        }
        let open = contents.open();
        let Some(known) = open.get_mut(&number) else {
            self.keys.hold(number);
            open.insert(number, rows.clone());
            return;
        };
        known.plus_equals(&rows.without_values());
        let values: Vec<Row> = known.values().chain(rows.values()).map(<[u8]>::to_vec).collect();
        if let [before, _] = values.as_slice() {
            let merged = self.merger.merge(&[&values[0], &values[1]]);
            known.add_value(before, -1);
            known.add_value(&merged, 1);
        }
    }

    /// What rows that come inside change.
    fn given(&mut self, number: Number, rows: &Accumulator) -> Accumulator {
        let mut change = rows.without_values();
        if let Some(value) = rows.values().next() {
            if self.chosen.len() <= number as usize {
                let missing = number as usize + 1 - self.chosen.len();
                reserve_gently(&mut self.chosen, missing);
                self.chosen.resize(number as usize + 1, Value::new());
            }
            let known = &self.chosen[number as usize];
            if known.is_empty() && !self.panes.leave() {
                // Nothing will take the value back, so it is held for good.
                self.keys.hold(number);
            }
            let merged = if known.is_empty() { value.to_vec() } else { self.merger.merge(&[known, value]) };
            self.choose(number, &merged, &mut change);
        }
        change
    }

    /// What rows that leave change; their pane is gone already.
    fn taken(&mut self, number: Number, rows: &Accumulator) -> Accumulator {
        let mut change = rows.without_values();
        change.negate();
        if let Some(value) = rows.values().next()
            && self.merger.matters(value, &self.chosen[number as usize])
        {
            let staying: Vec<Accumulator> = self.panes.inside().filter_map(|pane| pane.group(number)).collect();
            let values: Vec<&[u8]> = staying.iter().flat_map(Accumulator::values).collect();
            let merged = if values.is_empty() { Row::new() } else { self.merger.merge(&values) };
            self.choose(number, &merged, &mut change);
        }
        change
    }

    /// Puts a value in the place of the chosen one, if it is another.
    fn choose(&mut self, number: Number, value: &[u8], change: &mut Accumulator) {
        let chosen = &mut self.chosen[number as usize];
        if chosen.as_slice() == value {
            return;
        }
        for (value, count) in [(chosen.as_slice(), -1), (value, 1)] {
            if !value.is_empty() {
                change.add_value(value, count);
            }
        }
        *chosen = Value::from_slice(value);
    }

    fn release(&mut self, number: Number) {
        if self.keys.release(number)
            && let Some(chosen) = self.chosen.get_mut(number as usize)
        {
            *chosen = Value::new();
        }
    }

    /// Packs all but the last panes that rows came to.
    fn pack(&mut self) {
        self.open.sort_unstable();
        let past = self.open.len().saturating_sub(OPEN_PANES);
        let past: Vec<i64> = self.open.drain(..past).collect();
        past.into_iter().for_each(|pane| self.pack_pane(pane));
    }

    fn pack_pane(&mut self, pane: i64) {
        if let Some(contents) = self.panes.get_mut(pane) {
            contents.pack();
        }
    }
}

fn hand_on(key: Row, change: Accumulator, emit: Emit<'_>) {
    if !change.is_zero() {
        emit(key, change);
    }
}

#[cfg(test)]
mod tests;
