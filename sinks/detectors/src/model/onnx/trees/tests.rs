#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::forest::Forest;
use super::listing::{self, Kind, Listed, Mode};

const FEATURES: usize = 3;
const TARGETS: usize = 2;

/// A tree as it is thought of.
#[derive(Debug, Clone)]
enum Shape {
    Leaf(Vec<(usize, f32)>),
    Branch { feature: usize, mode: Mode, value: f32, missing_is_true: bool, yes: Box<Shape>, no: Box<Shape> },
}

impl Shape {
    /// The leaf that a row falls into, as the operator's specification says.
    #[allow(clippy::float_cmp)] // That is what the modes say.
    fn leaf(&self, row: &[f32]) -> &[(usize, f32)] {
        let (feature, mode, value, missing_is_true, yes, no) = match self {
            Shape::Leaf(weights) => return weights,
            Shape::Branch { feature, mode, value, missing_is_true, yes, no } => {
                (*feature, *mode, *value, *missing_is_true, yes, no)
            }
        };
        let found = row[feature];
        let holds = match mode {
            _ if found.is_nan() => missing_is_true,
            Mode::LessOrEqual => found <= value,
            Mode::Less => found < value,
            Mode::GreaterOrEqual => found >= value,
            Mode::Greater => found > value,
            Mode::Equal => found == value,
            Mode::NotEqual => found != value,
        };
        if holds { yes.leaf(row) } else { no.leaf(row) }
    }

    /// Lists its nodes, the root first; the root's number.
    fn list(&self, tree: i64, listed: &mut Vec<Listed>) -> i64 {
        let (at, id) = (listed.len(), 7 * listed.len() as i64 + 1);
        listed.push(Listed { tree, id, kind: Kind::Leaf(Vec::new()) });
        listed[at].kind = match self {
            Shape::Leaf(weights) => Kind::Leaf(weights.clone()),
            Shape::Branch { feature, mode, value, missing_is_true, yes, no } => {
                let (yes, no) = (yes.list(tree, listed), no.list(tree, listed));
                let (feature, mode, value) = (*feature as u32, *mode, *value);
                Kind::Branch { feature, mode, value, missing_is_true: *missing_is_true, yes, no }
            }
        };
        id
    }
}

fn value() -> impl Strategy<Value = f32> {
    let special = [f32::NEG_INFINITY, -1.0, -0.0, 0.0, f32::MIN_POSITIVE, 0.5, 1.0, f32::INFINITY, f32::NAN];
    prop::sample::select(special.to_vec())
}

fn shape(targets: usize) -> impl Strategy<Value = Shape> {
    let modes =
        [Mode::LessOrEqual, Mode::Less, Mode::GreaterOrEqual, Mode::Greater, Mode::Equal, Mode::NotEqual].to_vec();
    // Halves are added without rounding, so that the order of a sum does not matter.
    let weight = (0..targets, -8i8..8).prop_map(|(target, halves)| (target, f32::from(halves) / 2.0));
    let leaf = prop::collection::vec(weight, 0..3).prop_map(Shape::Leaf);
    leaf.prop_recursive(6, 64, 2, move |child| {
        let mode = prop::sample::select(modes.clone());
        (0..FEATURES, mode, value(), any::<bool>(), child.clone(), child).prop_map(
            |(feature, mode, value, missing_is_true, yes, no)| Shape::Branch {
                feature,
                mode,
                value,
                missing_is_true,
                yes: yes.into(),
                no: no.into(),
            },
        )
    })
}

fn forest(shapes: &[Shape], targets: usize) -> Forest {
    let mut listed = Vec::new();
    for (tree, shape) in shapes.iter().enumerate() {
        shape.list(tree as i64, &mut listed);
    }
    Forest { base: vec![1.0; targets], trees: listing::trees(&listed, targets).unwrap() }
}

fn check(shapes: &[Shape], rows: &[Vec<f32>], targets: usize) {
    let found = forest(shapes, targets).sums(&rows.concat(), FEATURES);
    let sums = |row: &Vec<f32>| {
        let mut sums = vec![1.0; targets];
        for (target, weight) in shapes.iter().flat_map(|shape| shape.leaf(row)) {
            sums[*target] += weight;
        }
        sums
    };
    assert_eq!(found, rows.iter().flat_map(sums).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn rows_fall_into_the_leaves_that_the_specification_says(
        shapes in prop::collection::vec(shape(1), 1..5),
        rows in prop::collection::vec(prop::collection::vec(value(), FEATURES), 0..20),
    ) {
        check(&shapes, &rows, 1);
    }

    #[test]
    fn leaves_add_to_the_targets_that_they_name(
        shapes in prop::collection::vec(shape(TARGETS), 1..5),
        rows in prop::collection::vec(prop::collection::vec(value(), FEATURES), 0..20),
    ) {
        check(&shapes, &rows, TARGETS);
    }
}

fn branch(yes: i64, no: i64) -> Kind {
    Kind::Branch { feature: 0, mode: Mode::Less, value: 0.0, missing_is_true: false, yes, no }
}

#[test]
fn a_loop_and_a_missing_child_are_refused() {
    let of = |kind: Kind| {
        let leaf = Listed { tree: 0, id: 1, kind: Kind::Leaf(vec![(0, 1.0)]) };
        listing::trees(&[Listed { tree: 0, id: 0, kind }, leaf], 1).unwrap_err().to_string()
    };
    assert_eq!(of(branch(1, 0)), "node 0 of tree 0 has two parents");
    assert_eq!(of(branch(1, 1)), "node 1 of tree 0 has two parents");
    assert_eq!(of(branch(1, 2)), "node 2 of tree 0 is missing");
}
