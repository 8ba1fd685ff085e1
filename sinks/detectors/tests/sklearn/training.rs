//! The example models as `detectors/examples/train.py` trains them, for tests and benches.

use std::path::{Path, PathBuf};
use std::process::Command;

use watershed_detectors::Manifest;

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

/// The manifest of an example.
pub(super) fn manifest(name: &str) -> Manifest {
    let path = examples().join(format!("{name}.toml"));
    Manifest::parse(&std::fs::read_to_string(path).unwrap(), name).unwrap()
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

/// Trains the example models, the forest with so many trees; the folder that they lie in.
pub(super) fn train(trees: u32) -> Option<tempfile::TempDir> {
    let Some(python) = python() else {
        eprintln!("skipped: scikit-learn, skl2onnx and pyarrow are not installed; `tools/setup.sh test` does that");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let features = folder.path().join("features.parquet");
    for arguments in [
        vec!["-c".into(), FEATURES.into(), features.clone()],
        vec![
            examples().join("train.py"),
            features,
            folder.path().into(),
            "--fault".into(),
            "600".into(),
            "700".into(),
            "--trees".into(),
            trees.to_string().into(),
        ],
    ] {
        let ran = Command::new(&python).args(arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    Some(folder)
}
