//! What a pane holds of each group: sums, and for what is not a sum one value. A pane that rows still come to is a hash
//! map; one that is past lies packed in one buffer.

use std::collections::HashMap;

use differential_dataflow::trace::implementations::containers::BatchContainer as _;
use watershed_operators::{Accumulator, Packed};

use crate::keys::Number;

type Open = HashMap<Number, Accumulator, foldhash::fast::RandomState>;

/// Groups by number.
#[derive(Default)]
pub(crate) struct Pane {
    groups: Groups,
    /// Groups with an owner's span, and that span, by address.
    pub(crate) by_address: HashMap<Box<str>, Vec<(i64, Number)>, foldhash::fast::RandomState>,
}

enum Groups {
    Open(Open),
    /// Ascending numbers with their groups.
    Packed(Box<[Number]>, Packed),
}

impl Default for Groups {
    fn default() -> Self {
        Groups::Open(Open::default())
    }
}

impl Pane {
    /// The groups, to be changed; a packed pane is unpacked.
    pub(crate) fn open(&mut self) -> &mut Open {
        if let Groups::Packed(..) = &self.groups {
            let mut open = Open::default();
            self.each(|number, group| {
                open.insert(number, group);
            });
            self.groups = Groups::Open(open);
        }
        match &mut self.groups {
            Groups::Open(open) => open,
            Groups::Packed(..) => unreachable!("unpacked above"),
        }
    }

    pub(crate) fn pack(&mut self) {
        let Groups::Open(open) = &mut self.groups else { return };
        let mut groups: Vec<_> = std::mem::take(open).into_iter().collect();
        groups.sort_unstable_by_key(|(number, _)| *number);
        let mut packed = Packed::with_capacity(groups.len());
        groups.iter().for_each(|(_, group)| packed.push_own(group));
        packed.shrink_to_fit();
        self.groups = Groups::Packed(groups.into_iter().map(|(number, _)| number).collect(), packed);
    }

    /// One group.
    pub(crate) fn group(&self, number: Number) -> Option<Accumulator> {
        match &self.groups {
            Groups::Open(open) => open.get(&number).cloned(),
            Groups::Packed(numbers, packed) => {
                numbers.binary_search(&number).ok().map(|at| Packed::into_owned(packed.index(at)))
            }
        }
    }

    /// Calls `each` with all groups.
    pub(crate) fn each(&self, mut each: impl FnMut(Number, Accumulator)) {
        match &self.groups {
            Groups::Open(open) => open.iter().for_each(|(number, group)| each(*number, group.clone())),
            Groups::Packed(numbers, packed) => {
                numbers.iter().enumerate().for_each(|(at, number)| each(*number, Packed::into_owned(packed.index(at))));
            }
        }
    }
}
