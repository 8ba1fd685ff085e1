#![allow(clippy::unwrap_used)]

use super::*;

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf, ModelFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    fs::write(&path, bytes).unwrap();
    let file = ModelFile::new(path.to_str().unwrap(), bytes).unwrap();
    (folder, path, file)
}

/// As deploying does it: beside it, then in its place.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("beside");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, path).unwrap();
}

#[test]
fn another_version_is_given_once_and_only_when_it_has_settled() {
    let (_folder, path, mut file) = file(b"one");
    assert_eq!(file.look(), None);
    replace(&path, b"two");
    assert_eq!(file.look(), None);
    replace(&path, b"three");
    assert_eq!(file.look(), None);
    assert_eq!(file.look(), Some(Ok(b"three".to_vec())));
    assert_eq!(file.look(), None);
}

#[test]
fn the_same_bytes_are_no_other_version() {
    let (_folder, path, mut file) = file(b"one");
    assert_eq!(file.look(), None);
    replace(&path, b"one");
    assert_eq!((file.look(), file.look()), (None, None));
}

#[test]
fn a_version_that_came_while_nobody_looked_is_given_at_the_first_look() {
    let (_folder, path, _) = file(b"two");
    let mut file = ModelFile::new(path.to_str().unwrap(), b"one").unwrap();
    assert_eq!(file.look(), Some(Ok(b"two".to_vec())));
}

#[test]
fn a_file_that_is_gone_changes_nothing() {
    let (_folder, path, mut file) = file(b"one");
    assert_eq!(file.look(), None);
    fs::remove_file(&path).unwrap();
    assert_eq!(file.look(), None);
    fs::create_dir(&path).unwrap();
    assert_eq!((file.look(), file.look()), (None, None));
}

#[test]
fn only_the_bytes_that_were_sent_are_taken_for_the_same_file() {
    let (folder, path, _) = file(b"one");
    assert!(is_here(path.to_str().unwrap(), b"one"));
    assert!(!is_here(path.to_str().unwrap(), b"two"));
    assert!(!is_here(folder.path().join("other").to_str().unwrap(), b"one"));
    assert!(!is_here("", b""));
}
