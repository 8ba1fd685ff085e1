//! Where file sinks may write: below one directory, or everywhere. A server has many rights, and whoever applies a sink
//! may have few.

use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use tokio::fs;

use crate::manifest::ManifestError;

/// A file, below the directory if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    directory: Option<PathBuf>,
    pub(crate) path: PathBuf,
}

impl Place {
    /// The place that a manifest's `path` means.
    ///
    /// # Errors
    /// When it is not below `directory`.
    pub(crate) fn new(directory: Option<&Path>, path: &Path) -> Result<Self, ManifestError> {
        let Some(directory) = directory else { return Ok(Self { directory: None, path: path.to_owned() }) };
        let below = path.strip_prefix(directory).unwrap_or(path);
        let below: PathBuf = below.components().filter(|part| *part != Component::CurDir).collect();
        let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || below.as_os_str().is_empty() {
            return Err(ManifestError(format!(
                "[file] path {} is not below {}, where sinks of this server may write (--sink-files)",
                path.display(),
                directory.display()
            )));
        }
        Ok(Self { directory: Some(directory.to_owned()), path: directory.join(below) })
    }

    /// Makes the directory if it is missing; fails where links lead out of it.
    pub(crate) async fn check(&self) -> io::Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        if !fs::try_exists(directory).await? {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let parent = self.path.parent().unwrap_or(directory);
        let directory = fs::canonicalize(directory).await?;
        if fs::canonicalize(parent).await?.starts_with(&directory) {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::PermissionDenied, format!("a link leads out of {}", directory.display())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_directory_are_taken() {
        let place = |path: &str| Place::new(Some(Path::new("/state/files")), Path::new(path)).map(|place| place.path);
        for path in ["map.jsonl", "./map.jsonl", "/state/files/map.jsonl"] {
            assert_eq!(place(path).as_deref(), Ok(Path::new("/state/files/map.jsonl")), "{path}");
        }
        for path in ["", ".", "/", "..", "../sinks/map.toml", "a/../../b", "/etc/cron.d/job", "/state/files", "/state"]
        {
            let error = place(path).unwrap_err().to_string();
            assert!(error.contains("is not below /state/files"), "{path}: {error}");
        }
        let anywhere = Place::new(None, Path::new("/etc/map.jsonl")).map(|place| place.path);
        assert_eq!(anywhere.as_deref(), Ok(Path::new("/etc/map.jsonl")));
    }

    #[tokio::test]
    async fn links_that_lead_out_are_refused() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), inside.path().join("out")).unwrap();
        let place = |path: &str| Place::new(Some(inside.path()), Path::new(path)).unwrap();
        assert!(place("map.jsonl").check().await.is_ok());
        assert!(place("out/map.jsonl").check().await.unwrap_err().to_string().contains("leads out"));
    }
}
