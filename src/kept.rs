//! Files of the state directory, a folder a kind of thing; each is written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Who may read a file, beside what the umask takes away.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Readers {
    Anybody = 0o666,
    /// For what may hold secrets.
    Owner = 0o600,
}

/// One folder of the state directory. Errors name the file.
#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn of(state: &Path, kind: &str) -> Self {
        Folder(state.join(kind))
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// Names, without the extension, of the files that have it, in order.
    pub(crate) fn names(&self, extension: &str) -> io::Result<Vec<String>> {
        self.make()?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(|error| at(&self.0, &error))? {
            let path = entry?.path();
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            if path.extension().is_some_and(|found| found == extension) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn read(&self, file: &str) -> io::Result<Vec<u8>> {
        let path = self.path(file);
        fs::read(&path).map_err(|error| at(&path, &error))
    }

    pub(crate) fn read_text(&self, file: &str) -> io::Result<String> {
        let path = self.path(file);
        fs::read_to_string(&path).map_err(|error| at(&path, &error))
    }

    pub(crate) fn write(&self, file: &str, bytes: &[u8], readers: Readers) -> io::Result<()> {
        self.make()?;
        let (path, partial) = (self.path(file), self.path(&format!("{file}.partial")));
        let written = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(readers as u32).open(&partial)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(&self.0)?.sync_all()
        };
        written().map_err(|error| at(&path, &error))
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, file: &str) -> io::Result<()> {
        let path = self.path(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, &error)),
            _ => Ok(()),
        }
    }

    fn make(&self) -> io::Result<()> {
        fs::create_dir_all(&self.0).map_err(|error| at(&self.0, &error))
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
