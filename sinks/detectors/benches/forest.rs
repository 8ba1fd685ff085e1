//! A batch of 10,000 subjects through an isolation forest of 100 trees, features to scores.

#![allow(clippy::unwrap_used)]

#[path = "../tests/sklearn/training.rs"]
mod training;

use criterion::{Criterion, criterion_group, criterion_main};
use watershed_detectors::model::{self, Item};

const SUBJECTS: usize = 10_000;
const TREES: u32 = 100;

fn forest(criterion: &mut Criterion) {
    let Some(folder) = training::train(TREES) else { return };
    let check: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("check.json")).unwrap()).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(check["rows"].clone()).unwrap();
    let file = std::fs::read(folder.path().join("isolation-forest.onnx")).unwrap();
    let mut scorer = model::build(&training::manifest("isolation-forest"), &file).unwrap();
    let mut memories = vec![Vec::new(); SUBJECTS];
    let mut items: Vec<Item<'_>> = memories
        .iter_mut()
        .zip(rows.iter().cycle())
        .map(|(memory, features)| Item { time: 0, features, memory, score: None, baseline: Vec::new() })
        .collect();
    criterion.bench_function("isolation forest of 100 trees, 10,000 subjects", |bencher| {
        bencher.iter(|| scorer.score(&mut items).unwrap());
    });
    assert!(items.iter().all(|item| item.score.is_some()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = forest
}
criterion_main!(benches);
