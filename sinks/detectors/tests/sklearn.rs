//! Models trained by scikit-learn with the script of `detectors/examples/`: the same scores here as there.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use watershed_detectors::Manifest;
use watershed_detectors::model::{self, Item};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../detectors/examples")
}

/// The Python that `tools/setup.sh` installed with the packages that training needs.
fn python() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/watershed"));
    let cache = std::env::var_os("WATERSHED_CACHE").map(PathBuf::from).or_else(home)?;
    let python = cache.join("venv/bin/python");
    let imports = Command::new(&python).args(["-c", "import sklearn, skl2onnx, pyarrow"]).output();
    imports.ok().filter(|output| output.status.success()).map(|_| python)
}

fn manifest(name: &str) -> Manifest {
    let path = examples().join(format!("{name}.toml"));
    Manifest::parse(&std::fs::read_to_string(path).unwrap(), name).unwrap()
}

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
    let Some(python) = python() else {
        eprintln!("skipped: scikit-learn, skl2onnx and pyarrow are not installed; tools/setup.sh test does that");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut train = Command::new(python);
    train.arg(examples().join("train.py")).arg(examples().join("features.parquet")).arg(folder.path());
    let trained = train.args(fault()).output().unwrap();
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
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

/// When the fault of the exported features was: what the README of the examples says.
fn fault() -> Vec<String> {
    let text = std::fs::read_to_string(examples().join("README.md")).unwrap();
    let line = text.lines().find(|line| line.contains("train.py features.parquet")).unwrap();
    let at = line.split_whitespace().skip_while(|word| *word != "--fault").take(3);
    at.map(str::to_owned).collect()
}

#[test]
fn the_models_that_ship_are_taken() {
    for name in ["isolation-forest", "gradient-boosting"] {
        let manifest = manifest(name);
        let file = std::fs::read(examples().join(manifest.model.file().unwrap())).unwrap();
        let rows = vec![vec![1.0; manifest.features.len()]; 70];
        assert!(scores(&manifest, &file, &rows).iter().all(|score| score.is_finite()));
    }
}

#[test]
fn a_model_of_another_width_is_refused() {
    let mut manifest = manifest("isolation-forest");
    let file = std::fs::read(examples().join(manifest.model.file().unwrap())).unwrap();
    let width = manifest.features.len();
    manifest.features.pop();
    let error = model::build(&manifest, &file).err().unwrap();
    assert!(error.contains(&format!("its input has {width} features, the manifest names {}", width - 1)), "{error}");
}
