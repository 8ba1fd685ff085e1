//! A container image of one static program, written as `docker save` does, without any container tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::processes;

/// What pods call the image; no registry is asked for it.
pub(super) const NAME: &str = "watershed.test/pod:1";
/// Where the program lies in it.
pub(super) const PROGRAM: &str = "/pod";

/// Builds the program of the pods and writes its image into a folder.
///
/// # Errors
/// When there is no Go, or the folder cannot be written.
pub(super) fn build(folder: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/pod.go");
    let layer = folder.join("layer");
    fs::create_dir_all(&layer)?;
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(layer.join(&PROGRAM[1..])).arg(source);
    processes::output(go.env("CGO_ENABLED", "0"))?;
    pack(&layer, &["pod"], &folder.join("layer.tar"))?;

    let layer = sha256(&folder.join("layer.tar"))?;
    let config = json!({
        "architecture": "amd64", "os": "linux", "history": [],
        "config": {"Cmd": [PROGRAM, "idle"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
    });
    fs::write(folder.join("config.json"), config.to_string())?;
    let manifest = json!([{"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"]}]);
    fs::write(folder.join("manifest.json"), manifest.to_string())?;
    let image = folder.join("image.tar");
    pack(folder, &["config.json", "layer.tar", "manifest.json"], &image)?;
    Ok(image)
}

fn pack(folder: &Path, members: &[&str], archive: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder).args(["--owner=0", "--group=0", "-cf"]).arg(archive).args(members);
    processes::output(&mut tar).map(drop)
}

fn sha256(file: &Path) -> Result<String> {
    let line = processes::output(Command::new("sha256sum").arg(file))?;
    line.split_whitespace().next().map(str::to_owned).context("a sum")
}
