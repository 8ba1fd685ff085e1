//! The group laws, by random accumulators.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, proptest};

use super::*;

fn any_accumulator() -> impl Strategy<Value = Accumulator> {
    prop::collection::btree_map(0u32..12, -3i64..4, 0..10).prop_map(Accumulator::from_sorted)
}

fn model(parts: &[&Accumulator]) -> BTreeMap<Lane, i64> {
    let mut sums = BTreeMap::new();
    for (lane, sum) in parts.iter().flat_map(|part| part.lanes.iter()) {
        *sums.entry(*lane).or_default() += *sum;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn addition_is_the_sum_by_lane(a in any_accumulator(), b in any_accumulator()) {
        let mut sum = a.clone();
        sum.plus_equals(&b);
        prop_assert_eq!(&sum, &Accumulator::from_sorted(model(&[&a, &b])));
        let mut other = b.clone();
        other.plus_equals(&a);
        prop_assert_eq!(sum, other);
    }

    #[test]
    fn what_is_taken_back_leaves_nothing(a in any_accumulator(), b in any_accumulator()) {
        let mut sum = a.clone();
        sum.plus_equals(&b);
        let mut back = a;
        back.negate();
        sum.plus_equals(&back);
        prop_assert_eq!(&sum, &b);
        back = b;
        back.negate();
        sum.plus_equals(&back);
        prop_assert!(sum.is_zero());
    }

    #[test]
    fn encoding_round_trips(a in any_accumulator()) {
        prop_assert_eq!(Accumulator::decode(&a.encode()), a);
    }
}
