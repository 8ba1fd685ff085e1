//! Folders of Parquet files, read in the order of their names. A full disk is what breaks them.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cases::{self, Other};
use crate::file::File;
use crate::view::{Rows, View};

/// A disk that can be filled, and a folder on it.
struct Parquet(File);

impl Parquet {
    fn new() -> Result<Self, String> {
        File::new().map(Self)
    }

    fn folder(&self) -> PathBuf {
        self.0.folder.path().join("numbers")
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect();
    files.sort();
    files
}

fn add(rows: &mut Rows, batch: &RecordBatch, frontier: i64) {
    let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
    let (times, diffs, n) = (number("_time"), number("_diff"), number("n"));
    let keys = batch.column_by_name("key").unwrap().as_string::<i32>();
    for row in 0..batch.num_rows() {
        assert!(times.value(row) <= frontier);
        let text = format!("{{\"key\":\"{}\",\"n\":{}}}", keys.value(row), n.value(row));
        *rows.entry(text).or_default() += diffs.value(row);
    }
}

/// Applies all files; the first of those that are kept need not begin with a snapshot.
fn apply(folder: &Path) -> (Rows, u64) {
    let (mut rows, mut frontier) = (Rows::new(), 0);
    for path in files(folder) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap();
        let marks = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        let mark = |name: &str| marks.iter().find(|mark| mark.key == name).unwrap().value.clone().unwrap();
        if mark("watershed.snapshot") == "true" {
            rows.clear();
        }
        frontier = mark("watershed.frontier").parse().unwrap();
        for batch in reader.build().unwrap() {
            add(&mut rows, &batch.unwrap(), frontier as i64);
        }
    }
    rows.retain(|_, count| *count != 0);
    (rows, frontier)
}

impl Other for Parquet {
    fn section(&self) -> String {
        let path = self.folder();
        format!("[file]\npath = \"{}\"\nformat = \"parquet\"\nevery = \"0ms\"\nkeep = 6\n", path.display())
    }

    fn held(&self) -> (Rows, u64) {
        apply(&self.folder())
    }

    fn break_it(&mut self) {
        self.0.break_it();
    }

    fn mend(&mut self) {
        self.0.mend();
    }

    fn slow_down(&mut self) -> bool {
        false
    }

    fn refuse(&mut self, _: &str) -> bool {
        false
    }
}

crate::battery!(Parquet::new());

#[tokio::test(flavor = "multi_thread")]
async fn old_files_go_and_what_stays_holds_the_view() {
    let Ok(parquet) = Parquet::new() else { return eprintln!("skipped: no right to mount") };
    let view = View::new(true);
    let running = cases::start(&parquet, &view, "1MiB");
    for n in 0..50 {
        let time = view.set(["a", "b", "c"][n % 3], n as i64);
        let status = running.status().clone();
        cases::until("the file is written", || status.snapshot().frontier >= time).await;
        assert!(files(&parquet.folder()).len() <= 6);
        assert_eq!(parquet.held(), (view.rows(), view.time()));
    }
    running.stop().await;
    assert_eq!(parquet.held(), (view.rows(), view.time()));
}

/// A sink that was ended may be in the middle of a write: its lock stands for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_another_sink_writes_is_waited_for() {
    let mut other = match Parquet::new() {
        Ok(other) => other,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    fs::create_dir(other.folder()).unwrap();
    let writing = fs::File::open(other.folder()).unwrap();
    writing.lock().unwrap();
    let view = View::new(true);
    view.set("a", 1);
    let running = cases::start(&other, &view, "1MiB");
    let status = running.status().clone();
    cases::until("it is tried again", || status.snapshot().retried > 0).await;
    assert!(status.snapshot().reason.ends_with("another sink is writing there"), "{}", status.snapshot().reason);
    assert!(files(&other.folder()).is_empty());
    drop(writing);
    cases::until("it is written", || status.snapshot().frontier >= view.time()).await;
    assert_eq!(other.held(), (view.rows(), view.time()));
    running.stop().await;
    other.mend();
}
