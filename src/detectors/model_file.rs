//! The file that a detector's model came from, looked at for another version.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use watershed_detectors::model;

/// What tells that a file may have changed: inode, length, time of change.
type Stamp = (u64, u64, i64, i64);

/// A model's file with what was last seen of it.
pub(super) struct ModelFile {
    path: PathBuf,
    /// Of the bytes that were read last.
    read: Option<Stamp>,
    /// Of the look before, when it differed: a file that is being written is left to settle for a look.
    unsettled: Option<Stamp>,
    /// Of the bytes that were read or applied last.
    digest: u64,
}

impl ModelFile {
    /// The file at a path, of which these bytes are in use. `None` without a path.
    pub(super) fn new(path: &str, bytes: &[u8]) -> Option<Self> {
        let path = (!path.is_empty()).then(|| PathBuf::from(path))?;
        Some(Self { path, read: None, unsettled: None, digest: digest(bytes) })
    }

    /// Other bytes than before, once the file has settled; each version is given once, a failure too.
    pub(super) fn look(&mut self) -> Option<Result<Vec<u8>, String>> {
        let stamp = stamp(&self.path).ok()?;
        if self.read == Some(stamp) {
            return None;
        }
        if self.read.is_some() && self.unsettled.replace(stamp) != Some(stamp) {
            return None;
        }
        (self.read, self.unsettled) = (Some(stamp), None);
        match read(&self.path) {
            Ok(bytes) => {
                let before = std::mem::replace(&mut self.digest, digest(&bytes));
                (self.digest != before).then_some(Ok(bytes))
            }
            Err(error) => Some(Err(format!("{}: {error}", self.path.display()))),
        }
    }
}

/// Whether the file at a path holds these bytes. What a client sent from elsewhere is not looked for here.
pub(super) fn is_here(path: &str, bytes: &[u8]) -> bool {
    let path = Path::new(path);
    stamp(path).is_ok_and(|(_, length, ..)| length == bytes.len() as u64) && read(path).is_ok_and(|read| read == bytes)
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("this is no file"));
    }
    Ok((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

/// Its bytes, one more than a model may have at most.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(model::onnx::LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
