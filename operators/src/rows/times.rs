//! Times of a batch: what was compacted has one time for all, which takes no room.

use differential_dataflow::trace::implementations::containers::BatchContainer;

/// Times, of which the first ones that are equal are held once.
#[derive(Default)]
pub struct Times {
    first: u64,
    equal: usize,
    others: Vec<u64>,
}

impl BatchContainer for Times {
    type Owned = u64;
    type ReadItem<'a> = &'a u64;

    fn into_owned(item: &u64) -> u64 {
        *item
    }

    fn push_ref(&mut self, item: &u64) {
        if self.equal == 0 {
            self.first = *item;
        }
        if self.others.is_empty() && self.first == *item {
            self.equal += 1;
        } else {
            self.others.push(*item);
        }
    }

    fn push_own(&mut self, item: &u64) {
        self.push_ref(item);
    }

    fn clear(&mut self) {
        self.equal = 0;
        self.others.clear();
    }

    fn with_capacity(_size: usize) -> Self {
        Times::default()
    }

    fn merge_capacity(_left: &Self, _right: &Self) -> Self {
        Times::default()
    }

    fn reborrow<'b, 'a: 'b>(item: &'a u64) -> &'b u64 {
        item
    }

    fn index(&self, index: usize) -> &u64 {
        match index.checked_sub(self.equal) {
            None => &self.first,
            Some(other) => &self.others[other],
        }
    }

    fn len(&self) -> usize {
        self.equal + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn times_are_those_that_were_put_in(times in prop::collection::vec(0_u64..3, 0..20)) {
            let mut held = Times::default();
            held.push_own(&9);
            held.clear();
            times.iter().for_each(|time| held.push_own(time));
            prop_assert_eq!((0..held.len()).map(|at| *held.index(at)).collect::<Vec<_>>(), times);
        }
    }
}
