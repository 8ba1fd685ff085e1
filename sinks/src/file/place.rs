//! Where file sinks may write: below one directory. A server has many rights, and whoever applies a sink may have few.

use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use tokio::fs;

use crate::manifest::ManifestError;

/// A file below the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    directory: PathBuf,
    pub(crate) path: PathBuf,
}

impl Place {
    /// The place that a manifest's `path` means.
    ///
    /// # Errors
    /// When it is not below `directory`, or there is none.
    pub(crate) fn new(directory: Option<&Path>, path: &Path) -> Result<Self, ManifestError> {
        let wrong = |message: String| Err(ManifestError(format!("[file] {message}")));
        let Some(directory) = directory else {
            return wrong(
                "this server has no directory for files; start it with --sink-files DIR or --state DIR".to_owned(),
            );
        };
        let below = path.strip_prefix(directory).unwrap_or(path);
        let below: PathBuf = below.components().filter(|part| *part != Component::CurDir).collect();
        let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        if !is_plain || below.as_os_str().is_empty() {
            return wrong(format!(
                "path {} is not below {}, where sinks of this server may write (--sink-files)",
                path.display(),
                directory.display()
            ));
        }
        Ok(Self { directory: directory.to_owned(), path: directory.join(below) })
    }

    /// Makes the directory if it is missing; fails where links lead out of it.
    pub(crate) async fn check(&self) -> io::Result<()> {
        if !fs::try_exists(&self.directory).await? {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        }
        let directory = fs::canonicalize(&self.directory).await?;
        let parent = self.path.parent().unwrap_or(&self.directory);
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
        let error = Place::new(None, Path::new("map.jsonl")).unwrap_err().to_string();
        assert!(error.contains("--sink-files"), "{error}");
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
