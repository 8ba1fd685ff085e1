//! A file as an endpoint: the lines of a subscription, batch by batch, rotated. Each file begins with a snapshot, so one
//! is enough; what a crash tore is cut off.

mod parquet;
mod place;

use std::ffi::OsString;
use std::io::{self, ErrorKind, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FlockOperation;
use serde::Deserialize;
use tokio::fs;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::endpoint::{Batch, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::lines;
use crate::manifest::ManifestError;
use crate::manifest::value::{Bytes, Span};
use parquet::Parquet;
use place::Place;

/// Old files kept unless the manifest says otherwise.
const KEEP: usize = 5;
/// Size at which a file is rotated unless the manifest says otherwise.
const ROTATE: u64 = 64 << 20;
/// How far back a last whole batch is looked for; a longer tail is of a batch that never ended.
const READ_BACK: u64 = 256 << 20;
/// Links are not followed.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// `[file]` of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    path: PathBuf,
    #[serde(default)]
    format: Format,
    rotate: Option<Bytes>,
    keep: Option<usize>,
    every: Option<Span>,
}

/// What is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Lines of a subscription in one file.
    #[default]
    Jsonl,
    /// A folder of Parquet files.
    Parquet,
}

impl FileSettings {
    /// The endpoint; it writes below `directory` only.
    pub(crate) fn endpoint(&self, directory: Option<&Path>) -> Result<Box<dyn Endpoint>, ManifestError> {
        let place = Place::new(directory, &self.path)?;
        match (self.format, self.every) {
            (Format::Parquet, _) => Ok(Box::new(Parquet::new(self, place))),
            (Format::Jsonl, None) => Ok(Box::new(File::new(self.clone(), place))),
            (Format::Jsonl, Some(_)) => {
                Err(ManifestError("[file] every is of use to format = \"parquet\" only".into()))
            }
        }
    }
}

/// A file that grows.
#[derive(Debug)]
struct File {
    settings: FileSettings,
    place: Place,
    open: Option<Open>,
    has_written: bool,
}

#[derive(Debug)]
struct Open {
    file: fs::File,
    /// End of the last whole batch.
    length: u64,
    /// Length of the snapshot that it began with.
    snapshot: u64,
}

impl File {
    fn new(settings: FileSettings, place: Place) -> Self {
        Self { settings, place, open: None, has_written: false }
    }

    async fn append(&mut self, batch: &Batch) -> io::Result<Written> {
        let text = lines::of_batch(batch);
        if self.is_due(batch) {
            self.rotate().await?;
        }
        let Some(open) = &mut self.open else { return Err(io::Error::other("the file is not open")) };
        let written = async {
            open.file.write_all(text.as_bytes()).await?;
            open.file.flush().await
        };
        if let Err(error) = written.await {
            // Half a batch must not stay.
            open.file.set_len(open.length).await?;
            open.file.seek(SeekFrom::Start(open.length)).await?;
            return Err(error);
        }
        open.length += text.len() as u64;
        if batch.snapshot {
            open.snapshot = text.len() as u64;
        }
        // A view that is nearly as large as a file would be rotated all the time.
        let most = self.settings.rotate.map_or(ROTATE, |bytes| bytes.0).max(2 * open.snapshot);
        let begin_again = open.length >= most;
        Ok(Written { rows: batch.rows() as u64, begin_again, ..Written::default() })
    }

    /// Whether this snapshot begins a file.
    fn is_due(&self, batch: &Batch) -> bool {
        let most = self.settings.rotate.map_or(ROTATE, |bytes| bytes.0);
        batch.snapshot && self.open.as_ref().is_some_and(|open| open.length >= most)
    }

    async fn rotate(&mut self) -> io::Result<()> {
        self.open = None;
        let path = &self.place.path;
        let keep = self.settings.keep.unwrap_or(KEEP);
        if keep == 0 {
            fs::remove_file(path).await?;
        }
        for number in (0..keep).rev() {
            let from = if number == 0 { path.clone() } else { numbered(path, number) };
            match fs::rename(from, numbered(path, number + 1)).await {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => (),
            }
        }
        self.open = Some(open(path).await?);
        Ok(())
    }

    /// A path that never worked is a mistake of the manifest.
    fn fault(&self, error: &io::Error) -> Fault {
        let message = format!("{}: {error}", self.place.path.display());
        if error.kind() == ErrorKind::WouldBlock {
            Fault::Retry(message)
        } else if self.has_written || error.kind() == ErrorKind::StorageFull {
            Fault::Reopen(message)
        } else {
            Fault::Fatal(message)
        }
    }
}

impl Endpoint for File {
    fn open(&mut self, _: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(async {
            // Its lock is in the way of the next.
            self.open = None;
            let opened = async {
                self.place.check().await?;
                open(&self.place.path).await
            };
            self.open = Some(opened.await.map_err(|error| self.fault(&error))?);
            Ok(())
        })
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(async move {
            let written = self.append(&batch).await.map_err(|error| self.fault(&error))?;
            self.has_written = true;
            Ok(written)
        })
    }

    fn close(&mut self) -> Pending<'_, ()> {
        Box::pin(async {
            if let Some(open) = self.open.take() {
                // Whatever could not be kept is cut off at the next start.
                let _ = open.file.sync_all().await;
            }
        })
    }
}

/// One sink at a time writes. One that was ended may be in the middle of a write still, and lets go of the file after it.
fn lock(file: &impl AsFd) -> io::Result<()> {
    let locked = rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive);
    locked.map_err(|_| io::Error::new(ErrorKind::WouldBlock, "another sink is writing there"))
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Opens or creates the file and cuts off what follows its last whole batch. The agent has many rights and its user may
/// have few, so links are not followed and files that no sink has written are not touched.
async fn open(path: &Path) -> io::Result<Open> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(NO_FOLLOW);
    let mut file = fs::OpenOptions::from(options).open(path).await?;
    lock(&file)?;
    let length = last_whole_batch(&mut file).await?;
    file.set_len(length).await?;
    file.seek(SeekFrom::Start(length)).await?;
    Ok(Open { file, length, snapshot: 0 })
}

/// The end of the last progress line.
async fn last_whole_batch(file: &mut fs::File) -> io::Result<u64> {
    const MARK: &[u8] = b"\n{\"progress\":";
    const START: &[u8] = b"{\"restart\":";
    let length = file.metadata().await?.len();
    let mut start = vec![0; START.len().min(length as usize)];
    file.seek(SeekFrom::Start(0)).await?;
    file.read_exact(&mut start).await?;
    if !START.starts_with(&start) {
        return Err(io::Error::new(ErrorKind::InvalidData, "the file was not written by a sink; name another one"));
    }
    let from = length.saturating_sub(READ_BACK);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(from)).await?;
    file.read_to_end(&mut tail).await?;
    let mut end = tail.len();
    while let Some(at) = tail[..end].windows(MARK.len()).rposition(|window| window == MARK) {
        if let Some(line) = tail[at + 1..].iter().position(|&byte| byte == b'\n') {
            return Ok(from + (at + 1 + line + 1) as u64);
        }
        end = at;
    }
    Ok(0)
}
