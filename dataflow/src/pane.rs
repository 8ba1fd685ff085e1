//! What a pane holds of each group: sums, and for what is not a sum one value. A pane that rows still come to is a hash
//! map; one that is past lies packed in one buffer.

use std::collections::HashMap;

use differential_dataflow::trace::implementations::containers::BatchContainer as _;
use watershed_operators::{Accumulator, Packed};

use crate::keys::Number;

type Open = HashMap<Number, Accumulator, foldhash::fast::RandomState>;

/// Groups by number.
pub(crate) enum Pane {
    Open(Open),
    /// Ascending numbers with their groups.
    Packed(Box<[Number]>, Packed),
}

impl Default for Pane {
    fn default() -> Self {
        Pane::Open(Open::default())
    }
}

impl Pane {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Pane::Open(_))
    }

    /// The groups, to be changed; a packed pane is unpacked.
    pub(crate) fn open(&mut self) -> &mut Open {
        if !self.is_open() {
            let mut open = Open::default();
            self.each(|number, group| {
                open.insert(number, group);
            });
            *self = Pane::Open(open);
        }
        match self {
            Pane::Open(open) => open,
            Pane::Packed(..) => unreachable!("unpacked above"),
        }
    }

    pub(crate) fn pack(&mut self) {
        let Pane::Open(open) = self else { return };
        let mut groups: Vec<_> = std::mem::take(open).into_iter().collect();
        groups.sort_unstable_by_key(|(number, _)| *number);
        let mut packed = Packed::with_capacity(groups.len());
        groups.iter().for_each(|(_, group)| packed.push_own(group));
        packed.shrink_to_fit();
        *self = Pane::Packed(groups.into_iter().map(|(number, _)| number).collect(), packed);
    }

    /// One group.
    pub(crate) fn group(&self, number: Number) -> Option<Accumulator> {
        match self {
            Pane::Open(open) => open.get(&number).cloned(),
            Pane::Packed(numbers, packed) => {
                numbers.binary_search(&number).ok().map(|at| Packed::into_owned(packed.index(at)))
            }
        }
    }

    /// Calls `each` with all groups.
    pub(crate) fn each(&self, mut each: impl FnMut(Number, Accumulator)) {
        match self {
            Pane::Open(open) => open.iter().for_each(|(number, group)| each(*number, group.clone())),
            Pane::Packed(numbers, packed) => {
                numbers.iter().enumerate().for_each(|(at, number)| each(*number, Packed::into_owned(packed.index(at))));
            }
        }
    }
}
