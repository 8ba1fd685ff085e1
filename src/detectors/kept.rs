//! Detectors on disk: `DIR/detectors/NAME.toml`, `NAME.script`, `NAME.model`, and what was learned in `NAME.state`. Each file
//! is written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use watershed_detectors::Checkpoint;

use super::Applied;

/// Where a detector is kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    folder: PathBuf,
    name: String,
}

/// What cannot be told from the other files.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    origin: String,
    model_path: String,
    version: u64,
}

impl Kept {
    pub(super) fn of(state: &Path, name: &str) -> Self {
        Self { folder: state.join("detectors"), name: name.to_owned() }
    }

    /// All that are kept, by name.
    pub(super) fn all(state: &Path) -> Result<Vec<(String, Applied)>> {
        let folder = state.join("detectors");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            if path.extension().is_some_and(|extension| extension == "toml") {
                found.push((name.to_owned(), Self::of(state, name).read()?));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    fn read(&self) -> Result<Applied> {
        let optional = |ending: &str| match fs::read(self.path(ending)) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).with_context(|| self.path(ending).display().to_string()),
        };
        let note: Note = serde_json::from_slice(&optional("note")?).unwrap_or_default();
        Ok(Applied {
            manifest: String::from_utf8(optional("toml")?).context("a manifest is text")?,
            origin: note.origin,
            script: String::from_utf8(optional("script")?).context("a script is text")?,
            model: optional("model")?,
            model_path: note.model_path,
            version: note.version,
        })
    }

    pub(super) fn write(&self, applied: &Applied) -> Result<()> {
        let Applied { manifest, origin, script, model, model_path, version } = applied;
        let note = Note { origin: origin.clone(), model_path: model_path.clone(), version: *version };
        self.put("script", script.as_bytes())?;
        self.put("model", model)?;
        self.put("note", &serde_json::to_vec(&note)?)?;
        self.put("toml", manifest.as_bytes())
    }

    pub(super) fn remove(&self) -> Result<()> {
        for ending in ["toml", "note", "model", "script", "state"] {
            match fs::remove_file(self.path(ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| self.path(ending).display().to_string());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What was learned before; `None` if nothing was, or it cannot be read.
    pub(super) fn learned(&self) -> Option<Checkpoint> {
        let bytes = fs::read(self.path("state")).ok()?;
        let read = serde_json::from_slice(&bytes);
        read.inspect_err(|error| tracing::warn!(detector = self.name, %error, "what was learned is not readable")).ok()
    }

    pub(super) async fn write_learned(&self, checkpoint: Checkpoint) -> Result<()> {
        let kept = self.clone();
        let writing = tokio::task::spawn_blocking(move || kept.put("state", &serde_json::to_vec(&checkpoint)?));
        writing.await.context("writing")?
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    fn put(&self, ending: &str, bytes: &[u8]) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| self.folder.display().to_string())?;
        let (path, partial) = (self.path(ending), self.folder.join(format!("{}.partial", self.name)));
        let written = || {
            let mut file = File::create(&partial)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        written().with_context(|| path.display().to_string())
    }
}
