//! Detectors on disk: `DIR/detectors/NAME.toml`, `NAME.script`, `NAME.model`, and what was learned in `NAME.state`.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use watershed_detectors::Checkpoint;

use super::Applied;
use crate::kept::{Folder, Readers};

/// Where a detector is kept.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    folder: Folder,
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
        Self { folder: Folder::of(state, "detectors"), name: name.to_owned() }
    }

    /// All that are kept, by name.
    pub(super) fn all(state: &Path) -> Result<Vec<(String, Applied)>> {
        let names = Folder::of(state, "detectors").names("toml")?;
        names.into_iter().map(|name| Self::of(state, &name).read().map(|applied| (name, applied))).collect()
    }

    fn read(&self) -> Result<Applied> {
        let optional = |ending: &str| match self.folder.read(&self.file(ending)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
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
            self.folder.remove(&self.file(ending))?;
        }
        Ok(())
    }

    /// What was learned before; `None` if nothing was, or it cannot be read.
    pub(super) fn learned(&self) -> Option<Checkpoint> {
        let bytes = self.folder.read(&self.file("state")).ok()?;
        let read = serde_json::from_slice(&bytes);
        read.inspect_err(|error| tracing::warn!(detector = self.name, %error, "what was learned is not readable")).ok()
    }

    pub(super) async fn write_learned(&self, checkpoint: Checkpoint) -> Result<()> {
        let kept = self.clone();
        let writing = tokio::task::spawn_blocking(move || kept.put("state", &serde_json::to_vec(&checkpoint)?));
        writing.await.context("writing")?
    }

    fn file(&self, ending: &str) -> String {
        format!("{}.{ending}", self.name)
    }

    fn put(&self, ending: &str, bytes: &[u8]) -> Result<()> {
        Ok(self.folder.write(&self.file(ending), bytes, Readers::Anybody)?)
    }
}
