//! Lists the folders of `scripts/`, so that a new script needs no line of code. Paths are relative to the crate, so that
//! clones that share a target folder each embed their own.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let scripts = Path::new("../scripts");
    println!("cargo::rerun-if-changed={}", scripts.display());
    let mut list = String::from("[\n");
    for group in folders(scripts)? {
        println!("cargo::rerun-if-changed={}", group.display());
        for folder in folders(&group)? {
            println!("cargo::rerun-if-changed={}", folder.display());
            entry(&mut list, &group, &folder);
        }
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR").map_err(io::Error::other)?).join("bundled.rs"), list)
}

fn entry(list: &mut String, group: &Path, folder: &Path) {
    let (group, name) = (last(group), last(folder));
    let include = |file: &str| {
        let path = format!("/{}", folder.join(file).display());
        format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))")
    };
    let file = if folder.join("view.sql").exists() { "view.sql".to_owned() } else { format!("{name}.pxl") };
    let vis = match folder.join("vis.json").exists() {
        true => format!("Some({})", include("vis.json")),
        false => "None".to_owned(),
    };
    let manifest = include("manifest.yaml");
    let text = include(&file);
    writeln!(list, "bundle(\"{group}/{name}\", {file:?}, {text}, {vis}, {manifest}),").expect("text can be appended");
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The folders in a folder, by name.
fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    folders.retain(|path| path.is_dir());
    folders.sort();
    Ok(folders)
}
