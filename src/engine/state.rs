//! Named views on disk: `DIR/views/NAME.sql`.

use std::io;
use std::path::Path;

use crate::kept::{Folder, Readers};

/// Name and text of all views kept.
pub(super) fn read(directory: &Path) -> io::Result<Vec<(String, String)>> {
    let folder = folder(directory);
    let read = |name: String| {
        let text = folder.read_text(&file(&name))?;
        Ok((name, text))
    };
    folder.names("sql")?.into_iter().map(read).collect()
}

/// Keeps a view's text.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    folder(directory).write(&file(name), text.as_bytes(), Readers::Anybody)
}

/// Forgets a view.
pub(super) fn remove(directory: &Path, name: &str) -> io::Result<()> {
    folder(directory).remove(&file(name))
}

fn folder(directory: &Path) -> Folder {
    Folder::of(directory, "views")
}

fn file(name: &str) -> String {
    format!("{name}.sql")
}
