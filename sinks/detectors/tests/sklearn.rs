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

/// Features of one endpoint as `export-features` writes them, with a fault from second 600 to 700.
const FEATURES: &str = "
import sys, numpy, pyarrow, pyarrow.parquet
random, count = numpy.random.default_rng(0), 1200
seconds = numpy.arange(count) // 6 * 5
fault = (seconds >= 600) & (seconds <= 700)
p50 = random.gamma(3, 1e6, count) * numpy.where(fault, 10, 1)
columns = {
    'requests': random.poisson(300, count),
    'error_rate': random.uniform(0, 0.05, count) + 0.3 * fault,
    'latency_p50': p50, 'latency_p90': 2 * p50, 'latency_p99': 3 * p50,
}
table = {'time_': pyarrow.array(seconds * 10**9, pyarrow.timestamp('ns')), 'subject': ['s'] * count}
table |= {name: values.astype('f4') for name, values in columns.items()}
pyarrow.parquet.write_table(pyarrow.table(table), sys.argv[1])
";

/// Trains the example models; the folder that they lie in.
fn train() -> Option<tempfile::TempDir> {
    let Some(python) = python() else {
        eprintln!("skipped: scikit-learn, skl2onnx and pyarrow are not installed; `tools/setup.sh test` does that");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let features = folder.path().join("features.parquet");
    for arguments in [
        vec!["-c".into(), FEATURES.into(), features.clone()],
        vec![examples().join("train.py"), features, folder.path().into(), "--fault".into(), "600".into(), "700".into()],
    ] {
        let ran = Command::new(&python).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    Some(folder)
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let Some(folder) = train() else { return };
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
    let Some(folder) = train() else { return };
    let mut manifest = manifest("isolation-forest");
    let file = std::fs::read(folder.path().join("isolation-forest.onnx")).unwrap();
    manifest.features.pop();
    let error = model::build(&manifest, &file).err().unwrap();
    assert!(error.contains("its input has 5 features, the manifest names 4"), "{error}");
}
