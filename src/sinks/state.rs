//! Sinks on disk: `DIR/sinks/NAME.toml`, readable by its owner only.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::kept::{Folder, Readers};

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
    let folder = folder(directory);
    let read = |name: &String| {
        let file = file(name);
        let wrong =
            |error: toml::de::Error| io::Error::other(format!("{}: {}", folder.path(&file).display(), error.message()));
        toml::from_str(&folder.read_text(&file)?).map_err(wrong)
    };
    Ok(folder.names("toml")?.iter().map(read).collect())
}

/// Keeps a sink.
pub(super) fn write(directory: &Path, name: &str, kept: &Kept) -> io::Result<()> {
    let text = toml::to_string(kept).map_err(io::Error::other)?;
    folder(directory).write(&file(name), text.as_bytes(), Readers::Owner)
}

/// Forgets a sink.
pub(super) fn remove(directory: &Path, name: &str) -> io::Result<()> {
    folder(directory).remove(&file(name))
}

fn folder(directory: &Path) -> Folder {
    Folder::of(directory, "sinks")
}

fn file(name: &str) -> String {
    format!("{name}.toml")
}
