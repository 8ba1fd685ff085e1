//! Files that sinks write, read as a user's script reads them. A full disk is what breaks them: a small one in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::cases::{self, Other};
use crate::view::{Rows, View};

pub(crate) struct File {
    pub(crate) folder: TempDir,
    rotate: &'static str,
}

impl File {
    pub(crate) fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(folder.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Self { folder, rotate: "64MiB" }),
            _ => Err("a disk that can be filled needs the right to mount one".to_owned()),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("numbers.jsonl")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

/// Applies the lines of a file as `interfaces` of subscriptions says.
fn apply(path: &Path) -> (Rows, u64) {
    let (mut rows, mut frontier, mut open) = (Rows::new(), 0, Vec::new());
    for line in fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line.get("restart").is_some() {
            rows.clear();
        } else if let Some(progress) = line.get("progress") {
            for line in open.drain(..) {
                let line: Value = line;
                *rows.entry(line["row"].to_string()).or_default() += line["diff"].as_i64().unwrap();
            }
            frontier = progress.as_u64().unwrap();
        } else {
            open.push(line);
        }
    }
    rows.retain(|_, count| *count != 0);
    (rows, frontier)
}

impl Other for File {
    fn section(&self) -> String {
        format!("[file]\npath = \"{}\"\nrotate = \"{}\"\nkeep = 3\n", self.path().display(), self.rotate)
    }

    fn held(&self) -> (Rows, u64) {
        apply(&self.path())
    }

    fn break_it(&mut self) {
        // Fails when the disk is full, which is what it is for.
        let _ = fs::write(self.ballast(), vec![0; 8 << 20]);
    }

    fn padding(&self) -> usize {
        // A full disk still fills up the file's last page.
        5000
    }

    fn mend(&mut self) {
        let _ = fs::remove_file(self.ballast());
    }

    fn slow_down(&mut self) -> bool {
        false
    }

    fn refuse(&mut self, _: &str) -> bool {
        false
    }
}

crate::battery!(File::new());

#[tokio::test(flavor = "multi_thread")]
async fn every_rotated_file_stands_by_itself() {
    let Ok(mut file) = File::new() else { return eprintln!("skipped: no right to mount") };
    file.rotate = "2KiB";
    let view = View::new(true);
    let running = cases::start(&file, &view, "1MiB");
    for n in 0..200 {
        let time = view.set(["a", "b", "c"][n % 3], n as i64);
        let status = running.status().clone();
        cases::until("the line is written", || status.snapshot().frontier >= time).await;
    }
    running.stop().await;
    assert_eq!(apply(&file.path()), (view.rows(), view.time()));
    for number in 1..=3 {
        let path = file.folder.path().join(format!("numbers.jsonl.{number}"));
        assert!(fs::metadata(&path).unwrap().len() < 4 << 10);
        assert_eq!(apply(&path).0.len(), 3);
    }
    assert!(!file.folder.path().join("numbers.jsonl.4").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_others_are_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::write(&path, "root:x:0:0\n").unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
    for path in [path.clone(), link, folder.path().to_owned(), folder.path().join("missing/file")] {
        let file = Fixed(path);
        let running = cases::start(&file, &View::new(true), "1MiB");
        let status = running.status().clone();
        cases::until("the sink gives up", || status.snapshot().phase == watershed_sinks::Phase::Failed).await;
        assert!(status.snapshot().reason.starts_with(&*file.0.to_string_lossy()), "{}", status.snapshot().reason);
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "root:x:0:0\n");
    assert!(!folder.path().join("elsewhere").exists());
}

struct Fixed(PathBuf);

impl Other for Fixed {
    fn section(&self) -> String {
        format!("[file]\npath = \"{}\"\n", self.0.display())
    }

    fn held(&self) -> (Rows, u64) {
        apply(&self.0)
    }

    fn break_it(&mut self) {}

    fn mend(&mut self) {}

    fn slow_down(&mut self) -> bool {
        false
    }

    fn refuse(&mut self, _: &str) -> bool {
        false
    }
}
