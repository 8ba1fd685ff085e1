//! A user's folder: what is good is there by its name, what is broken is told and changes nothing.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use super::{Library, Script, folder, look};

fn write(directory: &Path, file: &str, text: &str) {
    let path = directory.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn check(script: &Script) -> Result<(), String> {
    if script.text.contains("bad") { Err(format!("{}:1:1: bad", script.file)) } else { Ok(()) }
}

#[test]
fn scripts_of_both_depths_are_there_by_their_folders() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "busy/view.sql", "SELECT 1");
    write(directory.path(), "team/slow/slow.pxl", "import px");
    write(directory.path(), "team/slow/manifest.yaml", "doc: What is slow.\nalways_on: true\nfor: 30s\nkey: a, b\n");
    write(directory.path(), "team/slow/vis.json", "{}");
    let library = Library::default();
    assert!(library.replace(folder::read(directory.path()), check));
    assert_eq!(library.own().keys().collect::<Vec<_>>(), ["busy", "team/slow"]);
    let slow = library.named("team/slow").unwrap();
    assert_eq!((slow.file.as_str(), slow.vis.as_deref()), ("slow.pxl", Some("{}")));
    assert_eq!((slow.manifest.doc.as_str(), slow.manifest.always_on), ("What is slow.", true));
    assert_eq!((slow.manifest.rule.raise_after.as_secs(), slow.manifest.rule.key.len()), (30, 2));
    assert!(library.named("ws/service_map").is_some());
    assert!(!library.replace(folder::read(directory.path()), check));
}

#[test]
fn a_broken_script_is_told_and_its_last_good_text_stays() {
    let directory = tempfile::tempdir().unwrap();
    let library = Library::default();
    write(directory.path(), "busy/view.sql", "SELECT 1");
    library.replace(folder::read(directory.path()), check);
    write(directory.path(), "busy/view.sql", "bad");
    assert!(library.replace(folder::read(directory.path()), check));
    assert_eq!(library.own()["busy"].error, "view.sql:1:1: bad");
    assert_eq!(library.named("busy").unwrap().text, "SELECT 1");
    write(directory.path(), "busy/view.sql", "SELECT 2");
    library.replace(folder::read(directory.path()), check);
    assert_eq!(library.own()["busy"].error, "");
    assert_eq!(library.named("busy").unwrap().text, "SELECT 2");
    fs::remove_dir_all(directory.path().join("busy")).unwrap();
    library.replace(folder::read(directory.path()), check);
    assert!(library.named("busy").is_none());
}

#[test]
fn what_is_no_script_says_why() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "two/a.sql", "SELECT 1");
    write(directory.path(), "two/b.pxl", "import px");
    write(directory.path(), "manifest/a.sql", "SELECT 1");
    write(directory.path(), "manifest/manifest.yaml", "doc: x\nclera: 3s\n");
    write(directory.path(), "ws/flows/a.sql", "SELECT 1");
    let library = Library::default();
    library.replace(folder::read(directory.path()), check);
    let error = |name: &str| library.own()[name].error.clone();
    assert_eq!(library.own().len(), 3);
    assert!(error("two").contains("there are 2 .pxl or .sql files"), "{}", error("two"));
    let manifest = error("manifest");
    assert!(manifest.contains("manifest.yaml:2: unknown field `clera`; did you mean `clear`?"), "{manifest}");
    assert!(error("ws/flows").contains("bundled"), "{}", error("ws/flows"));
    assert!(library.named("ws/flows").unwrap().text.contains("conn_stats"));
}

#[test]
fn a_folder_is_read_again_only_when_it_changed() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "busy/view.sql", "SELECT 1");
    let (stamp, found) = look(directory.path(), None);
    assert_eq!(found.unwrap().len(), 1);
    let (stamp, found) = look(directory.path(), Some(&stamp));
    assert!(found.is_none());
    write(directory.path(), "busy/view.sql", "SELECT 22");
    assert!(look(directory.path(), Some(&stamp)).1.is_some());
}
