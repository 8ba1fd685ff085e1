//! The group laws, by random accumulators.

use std::collections::BTreeMap;

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;

fn any_accumulator() -> impl Strategy<Value = Accumulator> {
    let lanes = prop::collection::btree_map(prop_oneof![0u32..12, any::<u32>()], -3i64..4, 0..10);
    let values = prop::collection::vec((prop::collection::vec(0u8..3, 0..3), -2i64..3), 0..5);
    (lanes, values).prop_map(|(lanes, values)| {
        let mut accumulator = Accumulator::from_sorted(lanes);
        values.iter().for_each(|(value, count)| accumulator.add_value(value, *count));
        accumulator
    })
}

/// Sums by lane, and by value.
type Model = (BTreeMap<Lane, i64>, BTreeMap<Box<[u8]>, i64>);

fn model(parts: &[&Accumulator]) -> Model {
    let (mut lanes, mut values) = (BTreeMap::new(), BTreeMap::new());
    for part in parts {
        part.lanes.iter().for_each(|(lane, sum)| *lanes.entry(*lane).or_default() += *sum);
        part.values.iter().for_each(|(value, count)| *values.entry(value.clone()).or_default() += *count);
    }
    lanes.retain(|_, sum| *sum != 0);
    values.retain(|_, count| *count != 0);
    (lanes, values)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn addition_is_the_sum_by_lane_and_by_value(a in any_accumulator(), b in any_accumulator()) {
        let mut sum = a.clone();
        sum.plus_equals(&b);
        let (lanes, values) = model(&[&a, &b]);
        prop_assert_eq!(sum.lanes.to_vec(), lanes.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(&sum.values, &values.into_iter().collect::<Vec<_>>());
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
