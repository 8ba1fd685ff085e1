#![allow(clippy::unwrap_used)]

use std::path::Path;

use tract_onnx::prelude::{IntoRunnable as _, TypedModel};

use super::leaves::fold;
use super::*;

const FEATURES: usize = 5;

/// A model that ships, as it is before anything is done to its leaves.
fn example(name: &str) -> TypedModel {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../detectors/examples").join(name);
    let config = Config { file: name.to_owned(), output: None };
    load::read(&config, &std::fs::read(path).unwrap(), FEATURES).unwrap()
}

fn operators(model: &TypedModel, name: &str) -> usize {
    model.nodes().iter().filter(|node| node.op().name() == name).count()
}

fn scores(model: TypedModel, rows: &[f32]) -> Vec<f32> {
    let plan = model.into_optimized().and_then(|model| model.into_runnable()).unwrap();
    let onnx = Onnx { plan, features: FEATURES, bytes: 0 };
    rows.chunks(ROWS * FEATURES).flat_map(|rows| onnx.run(rows.to_vec()).unwrap()).collect()
}

#[test]
fn an_isolation_forest_becomes_one_operator_with_the_same_scores() {
    let model = example("isolation-forest.onnx");
    assert_eq!(operators(&model, "TreeSums"), 25);
    let folded = fold(&model).unwrap();
    assert_eq!(operators(&folded, "TreeSums"), 1);
    assert!(folded.nodes().len() < 15, "{folded}");
    // Endpoints from idle to busy and from quick to slow, times in nanoseconds.
    let row = |at: usize| {
        let (at, slow) = (at as f32, (at % 7) as f32);
        [at, at / 500.0, 1e6 * (1.0 + slow), 2e6 * (1.0 + slow), 1e5 * at]
    };
    let rows: Vec<f32> = (0..10 * ROWS).flat_map(row).collect();
    let (before, after) = (scores(model, &rows), scores(folded, &rows));
    assert_eq!(before.len(), 10 * ROWS);
    for (before, after) in before.iter().zip(&after) {
        assert!((before - after).abs() < 1e-6, "{before} before, {after} after");
    }
    assert!(before.iter().any(|score| (score - before[0]).abs() > 0.01));
}

#[test]
fn boosted_trees_are_one_operator_as_they_are() {
    let model = example("gradient-boosting.onnx");
    let folded = fold(&model).unwrap();
    assert_eq!(operators(&folded, "TreeSums"), 1);
    let rows: Vec<f32> = (0..ROWS * FEATURES).map(|at| (at * at) as f32).collect();
    assert_eq!(scores(model, &rows), scores(folded, &rows));
}
