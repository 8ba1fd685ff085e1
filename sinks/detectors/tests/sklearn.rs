//! Models trained by scikit-learn with the script of `detectors/examples/`: the same scores here as there.

#![allow(clippy::unwrap_used)]

#[path = "sklearn/training.rs"]
mod training;

use training::{manifest, train};
use watershed_detectors::Manifest;
use watershed_detectors::model::{self, Item};

fn scores(manifest: &Manifest, file: &[u8], rows: &[Vec<f32>]) -> Vec<f64> {
    let mut scorer = model::build(manifest, file).unwrap();
    let mut memories = vec![Vec::new(); rows.len()];
    let mut items = Vec::new();
    for (features, memory) in rows.iter().zip(&mut memories) {
        items.push(Item { time: 0, features, memory, score: None, baseline: Vec::new() });
    }
    scorer.score(&mut items).unwrap();
    items.into_iter().map(|item| item.score.unwrap()).collect()
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let Some(folder) = train(25) else { return };
    let check = std::fs::read(folder.path().join("check.json")).unwrap();
    let check: serde_json::Value = serde_json::from_slice(&check).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(check["rows"].clone()).unwrap();
    for name in ["isolation-forest", "gradient-boosting"] {
        let expected: Vec<f64> = serde_json::from_value(check["scores"][name].clone()).unwrap();
        let file = std::fs::read(folder.path().join(format!("{name}.onnx"))).unwrap();
        let found = scores(&manifest(name), &file, &rows);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{name}: {found} here, {expected} there");
        }
    }
}

#[test]
fn a_model_of_another_width_is_refused() {
    let Some(folder) = train(25) else { return };
    let mut manifest = manifest("isolation-forest");
    let file = std::fs::read(folder.path().join("isolation-forest.onnx")).unwrap();
    manifest.features.pop();
    let error = model::build(&manifest, &file).err().unwrap();
    assert!(error.contains("its input has 5 features, the manifest names 4"), "{error}");
}
