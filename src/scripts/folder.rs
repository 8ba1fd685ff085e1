//! A user's folder of scripts: `DIR/NAME/` or `DIR/GROUP/NAME/`, each with one `.pxl` or `.sql` file, and beside it
//! `manifest.yaml` and `vis.json` if the script needs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::manifest;
use super::{Manifest, Script};

/// Most scripts of a folder; later ones by name are left out and told.
const SCRIPTS_MAX: usize = 1000;
/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A folder that holds a script, or something that wants to be one.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// The script, or why it is none.
    pub(crate) script: Result<Script, String>,
}

/// What tells whether a folder changed: its files with their sizes and when they were written.
pub(crate) type Stamp = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

pub(super) fn stamp(directory: &Path) -> Stamp {
    let file = |path: PathBuf| {
        let metadata = fs::metadata(&path).ok()?;
        metadata.is_file().then(|| (path, (metadata.len(), metadata.modified().ok())))
    };
    folders(directory).into_iter().flat_map(|(_, folder)| entries(&folder)).filter_map(file).collect()
}

/// All scripts, by name.
pub(super) fn read(directory: &Path) -> Vec<Found> {
    let holds_script = |folder: &Path| entries(folder).iter().any(|path| path.is_file());
    let found = folders(directory).into_iter().filter(|(_, folder)| holds_script(folder));
    found.map(|(name, folder)| Found { script: script(&name, &folder), name }).collect()
}

fn script(name: &str, folder: &Path) -> Result<Script, String> {
    let files = entries(folder);
    let is_script = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "pxl" || ending == "sql");
    let scripts: Vec<_> = files.iter().filter(is_script).collect();
    let [path] = scripts.as_slice() else {
        return Err(format!("{}: there are {} .pxl or .sql files, not one", folder.display(), scripts.len()));
    };
    let beside = |name: &str| {
        let path = folder.join(name);
        path.exists().then(|| text(&path)).transpose()
    };
    let manifest = beside("manifest.yaml")?.map(|text| manifest::parse(&text)).transpose();
    let manifest = manifest.map_err(|problem| format!("{}/{problem}", folder.display()))?;
    Ok(Script {
        name: name.to_owned(),
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        text: text(path)?,
        vis: beside("vis.json")?,
        manifest: manifest.unwrap_or_else(Manifest::default),
    })
}

fn text(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let length = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("{shown} is longer than {FILE_BYTES_MAX} bytes"));
    }
    fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))
}

/// The folders that can hold scripts, of both depths, with the scripts' names.
fn folders(directory: &Path) -> Vec<(String, PathBuf)> {
    let below = |folder: &Path| entries(folder).into_iter().filter(|path| path.is_dir()).collect::<Vec<_>>();
    let named = |path: PathBuf| {
        let relative = path.strip_prefix(directory).ok()?;
        let parts = relative.iter().map(|part| part.to_str()).collect::<Option<Vec<_>>>()?;
        Some((parts.join("/"), path.clone()))
    };
    let first = below(directory);
    let second = first.iter().flat_map(|folder| below(folder)).collect::<Vec<_>>();
    let mut all: Vec<_> = first.into_iter().chain(second).filter_map(named).collect();
    all.sort();
    if all.len() > SCRIPTS_MAX {
        tracing::error!("{} holds {} folders; only the first {SCRIPTS_MAX} are read", directory.display(), all.len());
        all.truncate(SCRIPTS_MAX);
    }
    all
}

/// What lies in a folder, without hidden files.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let shown = |path: &PathBuf| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'));
    let mut paths: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(shown).take(SCRIPTS_MAX * 2).collect();
    paths.sort();
    paths
}
