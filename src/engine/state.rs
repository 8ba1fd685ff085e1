//! Named views on disk: `DIR/views/NAME.sql`, each written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Name and text of all views kept.
pub(super) fn read(directory: &Path) -> io::Result<Vec<(String, String)>> {
    let folder = folder(directory)?;
    let mut views = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| at(&folder, &error))? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if path.extension().is_some_and(|extension| extension == "sql") {
            views.push((name.to_owned(), fs::read_to_string(&path).map_err(|error| at(&path, &error))?));
        }
    }
    views.sort();
    Ok(views)
}

/// Keeps a view's text.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let folder = folder(directory)?;
    let path = folder.join(format!("{name}.sql"));
    let partial = folder.join(format!("{name}.partial"));
    let written = || {
        let mut file = File::create(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        File::open(&folder)?.sync_all()
    };
    written().map_err(|error| at(&path, &error))
}

/// Forgets a view.
pub(super) fn remove(directory: &Path, name: &str) -> io::Result<()> {
    let path = folder(directory)?.join(format!("{name}.sql"));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, &error)),
        _ => Ok(()),
    }
}

fn folder(directory: &Path) -> io::Result<PathBuf> {
    let folder = directory.join("views");
    fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
    Ok(folder)
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
