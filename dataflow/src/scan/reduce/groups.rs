//! The groups of all panes of a window: what is inside is handed on, once, and taken back when it leaves.

mod value;

use differential_dataflow::difference::{Abelian, IsZero, Semigroup};
use watershed_operators::{Accumulator, Row, reserve_gently};
use watershed_query::view::Window;

use self::value::Value;
use super::Emit;
use crate::aggregate::Merger;
use crate::keys::{Keys, Number};
use crate::pane::Pane;
use crate::panes::{Panes, Standing};

/// Panes that rows come to at a time, in most ticks; others are packed.
const OPEN_PANES: usize = 3;

/// The groups of all panes.
pub(in crate::scan) struct Groups {
    pub(in crate::scan) panes: Panes<Pane>,
    /// Panes that are not packed.
    open: Vec<i64>,
    pub(in crate::scan) keys: Keys,
    /// By number, what was chosen of the values inside; empty without any.
    chosen: Vec<Value>,
    pub(super) merger: Merger,
    now_ns: i64,
}

impl Groups {
    pub(super) fn new(window: Option<Window>, merger: Merger) -> Self {
        let (open, chosen) = (Vec::new(), Vec::new());
        Groups { panes: Panes::new(window), open, keys: Keys::default(), chosen, merger, now_ns: 0 }
    }

    /// Moves to a time: panes leave and enter.
    pub(super) fn advance(&mut self, now_ns: i64, emit: Emit<'_>) {
        self.now_ns = now_ns;
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

    /// Adds rows of a key to a pane, unless that has left; with the key's address and the span of its owner, if it has
    /// them.
    pub(in crate::scan) fn add(
        &mut self,
        key: &[u8],
        rows: Accumulator,
        pane: i64,
        span: Option<(Box<str>, i64)>,
        emit: Emit<'_>,
    ) {
        let standing = self.panes.standing(pane, self.now_ns);
        let has_value = rows.values().next().is_some();
        let is_kept = self.panes.keeps(standing);
        if is_kept || has_value && standing == Standing::Inside {
            let number = self.keys.number_of(key);
            if is_kept {
                self.keep(number, pane, standing, span, &rows);
            }
            if standing == Standing::Inside {
                hand_on(key.to_vec(), self.given(number, &rows), emit);
            }
        } else if standing == Standing::Inside {
            hand_on(key.to_vec(), rows, emit);
        }
    }

    /// Takes a group out of a pane again, with its key.
    pub(in crate::scan) fn take(&mut self, pane: i64, number: Number, emit: Emit<'_>) -> Option<(Row, Accumulator)> {
        let contents = self.panes.get_mut(pane)?;
        if !self.open.contains(&pane) {
            self.open.push(pane);
        }
        let group = contents.open().remove(&number)?;
        let key = self.keys.key(number).to_vec();
        if self.panes.standing(pane, self.now_ns) == Standing::Inside {
            hand_on(key.clone(), self.taken(number, &group), emit);
        }
        self.release(number);
        Some((key, group))
    }

    fn keep(
        &mut self,
        number: Number,
        pane: i64,
        standing: Standing,
        span: Option<(Box<str>, i64)>,
        rows: &Accumulator,
    ) {
        let contents = self.panes.contents(pane, standing);
        if !self.open.contains(&pane) {
            self.open.push(pane);
        }
        let Some(known) = contents.open().get_mut(&number) else {
            self.keys.hold(number);
            contents.open().insert(number, rows.clone());
            if let Some((address, since)) = span {
                contents.by_address.entry(address).or_default().push((since, number));
            }
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
                self.chosen.resize_with(number as usize + 1, Value::default);
            }
            let known = self.chosen[number as usize].as_slice();
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
            && self.merger.matters(value, self.chosen[number as usize].as_slice())
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
        *chosen = Value::from(value);
    }

    fn release(&mut self, number: Number) {
        if self.keys.release(number)
            && let Some(chosen) = self.chosen.get_mut(number as usize)
        {
            *chosen = Value::default();
        }
    }

    /// Packs all but the last panes that rows came to.
    pub(super) fn pack(&mut self) {
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
