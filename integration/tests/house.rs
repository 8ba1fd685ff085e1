//! What the documents say of the code is true.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn dependencies(package: &Value) -> BTreeSet<String> {
    let normal = |dependency: &&Value| dependency["kind"].is_null();
    let name = |dependency: &Value| dependency["name"].as_str().unwrap().to_owned();
    package["dependencies"].as_array().unwrap().iter().filter(normal).map(name).collect()
}

#[test]
fn the_architecture_lists_every_crate_with_its_folder_and_dependencies() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut written = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `") && line.contains("`watershed")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let names = cells[3].split(',').map(|name| name.trim().trim_matches('`').to_owned());
        let folder = cells[0].trim_matches('`').trim_end_matches('/').to_owned();
        let uses: BTreeSet<String> = names.filter(|name| !name.is_empty()).collect();
        written.insert(cells[1].trim_matches('`').to_owned(), (folder, uses));
    }
    let mut actual = BTreeMap::new();
    for package in packages() {
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let folder = if folder.is_empty() { ".".to_owned() } else { folder };
        let ours = dependencies(&package).into_iter().filter(|name| name.starts_with("watershed")).collect();
        actual.insert(package["name"].as_str().unwrap().to_owned(), (folder, ours));
    }
    assert_eq!(written, actual);
}

#[test]
fn confined_dependencies_stay_where_they_belong() {
    let confined = [
        ("libbpf-rs", &["watershed-bpf"][..]),
        ("timely", &["watershed-operators", "watershed-dataflow"]),
        ("differential-dataflow", &["watershed-operators", "watershed-dataflow"]),
        ("datafusion", &["watershed-query", "watershed-dataflow"]),
        ("tonic", &["watershed-proto", "watershed", "watershed-sinks"]),
        ("kube", &["watershed-k8s"]),
        ("rdkafka", &["watershed-sinks"]),
        ("bincode", &["watershed-ingest"]),
    ];
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let uses = dependencies(&package);
        for (dependency, allowed) in confined {
            assert!(!uses.contains(dependency) || allowed.contains(&name), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_make_target_of_the_readme_exists() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut named = 0;
    for (_, rest) in readme.match_indices("make ").map(|(at, found)| (at, &readme[at + found.len()..])) {
        let target: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if ["demo", "test", "bench", "lint", "setup", "fuzz"].contains(&target.as_str()) {
            assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
            named += 1;
        }
    }
    assert!(named >= 2, "the README names its commands");
}
