//! Sinks on disk: `DIR/sinks/NAME.toml`, each written whole or not at all and readable by its owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A sink as it was applied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The manifest's text.
    pub(super) manifest: String,
    /// Its file name for messages.
    pub(super) origin: String,
    /// Text and file name of its script, if that was a file.
    pub(super) script: Option<(String, String)>,
}

/// All sinks kept, and what could not be read.
pub(super) fn read(directory: &Path) -> io::Result<Vec<io::Result<Kept>>> {
    let folder = folder(directory)?;
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| at(&folder, &error))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
        let wrong = |error: toml::de::Error| io::Error::other(format!("{}: {}", path.display(), error.message()));
        toml::from_str(&text).map_err(wrong)
    };
    Ok(paths.iter().map(read).collect())
}

/// Keeps a sink.
pub(super) fn write(directory: &Path, name: &str, kept: &Kept) -> io::Result<()> {
    let folder = folder(directory)?;
    let path = folder.join(format!("{name}.toml"));
    let partial = folder.join(format!("{name}.partial"));
    let text = toml::to_string(kept).map_err(io::Error::other)?;
    let written = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        File::open(&folder)?.sync_all()
    };
    written().map_err(|error| at(&path, &error))
}

/// Forgets a sink.
pub(super) fn remove(directory: &Path, name: &str) -> io::Result<()> {
    let path = folder(directory)?.join(format!("{name}.toml"));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, &error)),
        _ => Ok(()),
    }
}

fn folder(directory: &Path) -> io::Result<PathBuf> {
    let folder = directory.join("sinks");
    fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
    Ok(folder)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
