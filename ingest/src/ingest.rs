//! The thread that turns a source into ticks, and the recorder.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use watershed_bpf::ProbeStatus;
use watershed_model::Tick;

use crate::recording::{self, Writer};
use crate::source::kernel::Kernel;
use crate::source::recording::{Pace, Recording};
use crate::source::{Source, State};
use crate::tables::{Config, Tables};

/// Why nothing is ingested.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel side.
    #[error(transparent)]
    Kernel(#[from] watershed_bpf::Error),
    /// A recording that cannot be read.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// A file that cannot be opened or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The thread could not be started.
    #[error("the ingest thread did not start: {0}")]
    Thread(String),
}

/// What is ingested.
#[derive(Debug, Clone)]
pub enum SourceSpec {
    /// The live kernel.
    Kernel(watershed_bpf::Config),
    /// A recording.
    Recording {
        /// The file.
        path: PathBuf,
        /// How fast.
        pace: Pace,
    },
}

/// How the source is doing.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Probes of a kernel source.
    pub probes: Vec<ProbeStatus>,
    /// Bytes of BPF maps.
    pub map_bytes: u64,
    /// A recording was played to its end.
    pub ended: bool,
    /// Why the source stopped early, empty if it did not.
    pub error: String,
}

/// A running source; owns the thread `ingest`.
#[derive(Debug)]
pub struct Ingest {
    stop: Arc<AtomicBool>,
    status: Arc<Mutex<Status>>,
    thread: Option<JoinHandle<()>>,
}

impl Ingest {
    /// Starts; an error of the source is returned before anything runs.
    pub fn start(spec: SourceSpec, config: Config, output: Box<dyn FnMut(Tick) + Send>) -> Result<Ingest, Error> {
        let (stop, status) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Status::default())));
        let (opened, is_open) = mpsc::channel();
        let (stop_of_thread, status_of_thread) = (Arc::clone(&stop), Arc::clone(&status));
        let body = move || {
            // The source is made by the thread that drains it: BPF objects stay where they were loaded.
            let source = match open(&spec, &status_of_thread) {
                Ok(source) => source,
                Err(error) => return drop(opened.send(Err(error))),
            };
            let _ = opened.send(Ok(()));
            run(source, &config, output, &stop_of_thread, &status_of_thread);
        };
        let thread = std::thread::Builder::new()
            .name("ingest".to_owned())
            .spawn(body)
            .map_err(|error| Error::Thread(error.to_string()))?;
        is_open.recv().map_err(|error| Error::Thread(error.to_string()))??;
        Ok(Ingest { stop, status, thread: Some(thread) })
    }

    /// How the source is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Stops and waits for the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn open(spec: &SourceSpec, status: &Mutex<Status>) -> Result<Box<dyn Source>, Error> {
    match spec {
        SourceSpec::Recording { path, pace } => Ok(Box::new(Recording::open(path, *pace)?)),
        SourceSpec::Kernel(config) => {
            let kernel = Kernel::load(config)?;
            let mut status = status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            status.probes = kernel.probe().status().to_vec();
            status.map_bytes = kernel.probe().map_bytes();
            Ok(Box::new(kernel))
        }
    }
}

fn run(
    mut source: Box<dyn Source>,
    config: &Config,
    mut output: Box<dyn FnMut(Tick) + Send>,
    stop: &AtomicBool,
    status: &Mutex<Status>,
) {
    let mut tables = Tables::new(config);
    while !stop.load(Ordering::Relaxed) {
        let polled = source.poll(&mut |event| {
            if let Some(tick) = tables.apply(event) {
                output(tick);
            }
        });
        for (stream, attention) in tables.take_wishes() {
            source.attend(stream, attention);
        }
        if matches!(polled, Ok(State::Running)) {
            continue;
        }
        let mut status = status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        status.ended = true;
        // A recording goes on with empty ticks; so does a kernel source, whose rings may be readable again.
        if let Err(error) = polled.map_err(|error| error.to_string())
            && error != status.error
        {
            tracing::error!(error, "the source failed");
            status.error = error;
        }
    }
}

/// What a recording holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Events written.
    pub events: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Records the live kernel until `duration` is over or `stop` is set.
pub fn record(
    spec: &watershed_bpf::Config,
    path: &Path,
    duration: Option<Duration>,
    stop: &Arc<AtomicBool>,
) -> Result<Summary, Error> {
    let failed = |error| Error::File { path: path.to_path_buf(), error };
    let mut source = Kernel::load(spec)?;
    let mut writer = Writer::new(BufWriter::new(File::create(path).map_err(failed)?)).map_err(failed)?;
    // The tables decide what is wanted of a connection, as they do when they are shown.
    let mut tables = Tables::new(&Config::default());
    let (started, mut events, mut outcome) = (Instant::now(), 0, Ok(()));
    while !stop.load(Ordering::Relaxed) && duration.is_none_or(|duration| started.elapsed() < duration) {
        source.poll(&mut |event| {
            events += 1;
            if outcome.is_ok() {
                outcome = writer.write(event);
            }
            tables.apply(event);
        })?;
        for (stream, attention) in tables.take_wishes() {
            source.attend(stream, attention);
        }
        std::mem::replace(&mut outcome, Ok(())).map_err(failed)?;
    }
    writer.flush().map_err(failed)?;
    Ok(Summary { events, bytes: writer.bytes() })
}
