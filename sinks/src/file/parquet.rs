//! A folder of Parquet files as an endpoint. A file is there when it is whole; in order of their names they hold every
//! change, and the marks in them say where a snapshot begins and up to which time they reach.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tokio::task::block_in_place;

use super::place::Place;
use super::{FileSettings, NO_FOLLOW, ROTATE, lock};
use crate::endpoint::{Batch, Changes, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};

/// Fewer files than these could not be rotated: half of them follow one snapshot.
const FEWEST: usize = 4;
/// Files kept unless the manifest says otherwise.
const KEEP: usize = 120;
/// A file takes changes this long unless the manifest says otherwise.
const EVERY: Duration = Duration::from_secs(30);
/// Rows wait in memory up to this size (bytes).
const ROW_GROUP: usize = 8 << 20;
/// The file that is not whole yet; a crash leaves it behind.
const PARTIAL: &str = "partial";
const ENDING: &str = ".parquet";
/// Files that may reach up to the same time.
const MOST_OF_A_TIME: usize = 100;

/// A folder that fills.
pub(super) struct Parquet {
    place: Place,
    /// The folder, locked.
    locked: Option<fs::File>,
    rotate: u64,
    every: Duration,
    keep: usize,
    open: Option<Open>,
    /// Up to where the files reach.
    frontier: u64,
    /// Files since the last snapshot.
    files: usize,
    has_written: bool,
}

struct Open {
    writer: ArrowWriter<fs::File>,
    schema: SchemaRef,
    since: Instant,
    is_snapshot: bool,
}

impl Parquet {
    pub(super) fn new(settings: &FileSettings, place: Place) -> Self {
        Self {
            place,
            locked: None,
            rotate: settings.rotate.map_or(ROTATE, |bytes| bytes.0),
            every: settings.every.map_or(EVERY, |every| every.duration()),
            keep: settings.keep.unwrap_or(KEEP).max(FEWEST),
            open: None,
            frontier: 0,
            files: 0,
            has_written: false,
        }
    }

    fn folder(&self) -> &Path {
        &self.place.path
    }

    /// Makes and locks the folder, and finds out how far its files reach.
    fn begin(&mut self) -> io::Result<()> {
        self.open = None;
        match fs::symlink_metadata(self.folder()) {
            Ok(found) if found.is_dir() => (),
            Ok(_) => return Err(io::Error::new(ErrorKind::NotADirectory, "is no folder, as Parquet files need one")),
            Err(_) => fs::DirBuilder::new().mode(0o700).create(self.folder())?,
        }
        self.locked = None;
        let folder = fs::File::open(self.folder())?;
        lock(&folder)?;
        self.locked = Some(folder);
        self.frontier = self.names()?.last().and_then(|name| time_of(name)).unwrap_or_default();
        self.files = 0;
        Ok(())
    }

    /// The whole files, in order.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(self.folder())?.collect::<io::Result<Vec<_>>>()?;
        let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| time_of(name).is_some()).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// A file that is not there yet and reaches up to `time`.
    fn unused(&self, time: u64) -> io::Result<PathBuf> {
        let mut paths = (0..MOST_OF_A_TIME).map(|number| self.folder().join(format!("{time:016}-{number:02}{ENDING}")));
        paths.find(|path| !path.exists()).ok_or_else(|| io::Error::from(ErrorKind::AlreadyExists))
    }

    fn append(&mut self, batch: &Batch) -> io::Result<Written> {
        if batch.snapshot {
            // What was written before it stays readable by itself.
            self.finish(self.frontier)?;
        }
        for changes in &batch.changes {
            // Rows of a table that were written before a restart.
            let is_there = batch.shape.append && batch.snapshot && changes.time <= self.frontier;
            if !changes.diffs.is_empty() && !is_there {
                self.add(changes, batch.snapshot)?;
            }
        }
        if batch.snapshot && self.open.is_none() {
            // Also that there are no rows is worth a file.
            let none = RecordBatch::new_empty(Arc::clone(&batch.shape.schema));
            self.add(&Changes { time: batch.frontier, rows: none, diffs: Vec::new() }, true)?;
        }
        self.frontier = batch.frontier;
        let is_due = self.open.as_ref().is_some_and(|open| {
            open.writer.bytes_written() as u64 >= self.rotate || open.since.elapsed() >= self.every
        });
        if is_due {
            self.finish(batch.frontier)?;
            self.prune()?;
        }
        // One of the files that are kept has to begin with a snapshot.
        let begin_again = !batch.shape.append && self.open.is_none() && self.files >= self.keep / 2;
        Ok(Written { rows: batch.rows() as u64, begin_again, ..Written::default() })
    }

    fn add(&mut self, changes: &Changes, is_snapshot: bool) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.start(changes.rows.schema_ref(), is_snapshot)?,
        };
        let times: ArrayRef = Arc::new(Int64Array::from_value(changes.time as i64, changes.diffs.len()));
        let diffs: ArrayRef = Arc::new(Int64Array::from(changes.diffs.clone()));
        let columns = [times, diffs].into_iter().chain(changes.rows.columns().iter().cloned()).collect();
        let rows = RecordBatch::try_new(Arc::clone(&open.schema), columns).map_err(io::Error::other)?;
        open.writer.write(&rows).map_err(failure)?;
        if open.writer.in_progress_size() > ROW_GROUP {
            open.writer.flush().map_err(failure)?;
        }
        self.open = Some(open);
        Ok(())
    }

    fn start(&self, columns: &SchemaRef, is_snapshot: bool) -> io::Result<Open> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600).custom_flags(NO_FOLLOW);
        let file = options.open(self.folder().join(PARTIAL))?;
        let number = |name: &str| Arc::new(Field::new(name, DataType::Int64, false));
        let fields = [number("_time"), number("_diff")].into_iter().chain(columns.fields().iter().cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(failure)?;
        Ok(Open { writer, schema, since: Instant::now(), is_snapshot })
    }

    /// Makes the open file whole: it reaches up to `frontier`.
    fn finish(&mut self, frontier: u64) -> io::Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        for (name, value) in [("frontier", frontier.to_string()), ("snapshot", open.is_snapshot.to_string())] {
            open.writer.append_key_value_metadata(KeyValue::new(format!("watershed.{name}"), value));
        }
        open.writer.into_inner().map_err(failure)?.sync_all()?;
        fs::rename(self.folder().join(PARTIAL), self.unused(frontier)?)?;
        fs::File::open(self.folder())?.sync_all()?;
        self.files = if open.is_snapshot { 1 } else { self.files + 1 };
        Ok(())
    }

    fn prune(&self) -> io::Result<()> {
        let names = self.names()?;
        for name in &names[..names.len().saturating_sub(self.keep)] {
            fs::remove_file(self.folder().join(name))?;
        }
        Ok(())
    }

    /// A path that never worked is a mistake of the manifest.
    fn fault(&mut self, error: &io::Error) -> Fault {
        self.open = None;
        let message = format!("{}: {error}", self.folder().display());
        if error.kind() == ErrorKind::WouldBlock {
            Fault::Retry(message)
        } else if self.has_written || error.kind() == ErrorKind::StorageFull {
            // Half a file helps nobody, and takes room.
            let _ = fs::remove_file(self.folder().join(PARTIAL));
            Fault::Reopen(message)
        } else {
            Fault::Fatal(message)
        }
    }
}

/// The time (ms) in the name of a whole file: 16 digits and a number of two, so that names sort as files do.
fn time_of(name: &str) -> Option<u64> {
    let (time, number) = name.strip_suffix(ENDING)?.split_once('-')?;
    let is_ours = time.len() == 16 && number.len() == 2 && number.parse::<u8>().is_ok();
    is_ours.then(|| time.parse().ok()).flatten()
}

/// The cause, where it is the disk.
fn failure(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}

impl Endpoint for Parquet {
    fn open(&mut self, _: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(async {
            let opened = match self.place.check().await {
                Ok(()) => block_in_place(|| self.begin()),
                Err(error) => Err(error),
            };
            opened.map_err(|error| self.fault(&error))
        })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(async move {
            let written = block_in_place(|| self.append(&batch)).map_err(|error| self.fault(&error))?;
            self.has_written = true;
            Ok(written)
        })
    }

    fn close(&mut self) -> Pending<'_, ()> {
        Box::pin(async {
            // What cannot be finished is there again in the next snapshot.
            let _ = block_in_place(|| self.finish(self.frontier));
        })
    }
}
