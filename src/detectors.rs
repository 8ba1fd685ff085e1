//! Detectors of this node: applied, started again after a restart, listed and dropped. Each works in a task of its own,
//! as a subscriber of its view.

mod batches;
mod flags;
mod kept;
mod model_file;
mod renewal;
pub(crate) mod replay;
mod rows;
mod start;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::task::JoinHandle;
use watershed_detectors::report::Report;
use watershed_detectors::{Detector, Manifest};

use crate::engine::{Engine, Problem};
use crate::feed::Feed;
use kept::Kept;
use start::follow;
use work::Shared;

/// Detectors that a node may have.
const MOST: usize = 200;

/// A manifest with the files that it names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Applied {
    /// TOML.
    pub(crate) manifest: String,
    /// File name for error messages.
    pub(crate) origin: String,
    /// Text of the script's file; empty without one.
    pub(crate) script: String,
    /// Bytes of the model's file; empty without one.
    pub(crate) model: Vec<u8>,
    /// Where the model's file lies on this machine, to be looked at for another version; empty if it lies elsewhere.
    pub(crate) model_path: String,
    /// 0 before it is applied.
    pub(crate) version: u64,
}

/// A detector as others see it.
pub(crate) struct Described {
    pub(crate) manifest: Manifest,
    pub(crate) text: String,
    pub(crate) bundled: bool,
    pub(crate) version: u64,
    pub(crate) report: Report,
    pub(crate) problem: String,
}

/// All detectors of this node.
pub(crate) struct Detectors {
    engine: Arc<Engine>,
    feed: Feed,
    state: Option<PathBuf>,
    running: Arc<Mutex<BTreeMap<String, Running>>>,
}

struct Running {
    /// TOML.
    text: String,
    manifest: Manifest,
    bundled: bool,
    shared: Arc<Shared>,
    /// `None` while it is switched off.
    work: Option<(oneshot::Sender<()>, JoinHandle<Option<Detector>>)>,
}

impl Running {
    /// Stops it; what is left of it.
    async fn stop(self) -> Option<Detector> {
        let (stop, task) = self.work?;
        let _ = stop.send(());
        task.await.ok().flatten()
    }

    fn describe(&self) -> Described {
        Described {
            manifest: self.manifest.clone(),
            text: self.text.clone(),
            bundled: self.bundled,
            version: self.shared.version.load(Ordering::Relaxed),
            report: self.shared.report.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            problem: self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Detectors {
    /// None yet.
    pub(crate) fn new(engine: Arc<Engine>, feed: Feed, state: Option<PathBuf>) -> Self {
        Self { engine, feed, state, running: Arc::default() }
    }

    /// Starts the bundled detectors if they are wanted, then those that the state directory holds, and returns before
    /// they are started: whoever asks for detectors meanwhile waits for them. One that does not start is reported and
    /// left alone.
    pub(crate) async fn restore(self: &Arc<Self>, bundled: bool) {
        let (detectors, running) = (Arc::clone(self), Arc::clone(&self.running).lock_owned().await);
        tokio::spawn(async move { detectors.start_all(running, bundled).await });
    }

    async fn start_all(&self, mut running: OwnedMutexGuard<BTreeMap<String, Running>>, bundled: bool) {
        let bundled = watershed_detectors::bundled().iter().filter(|_| bundled).map(|(file, text)| Applied {
            manifest: (*text).to_owned(),
            origin: (*file).to_owned(),
            version: 1,
            ..Applied::default()
        });
        let mut all: Vec<(Applied, bool)> = bundled.map(|applied| (applied, true)).collect();
        match self.state.as_deref().map(Kept::all).transpose() {
            Ok(kept) => all.extend(kept.into_iter().flatten().map(|(_, applied)| (applied, false))),
            Err(error) => tracing::error!("detectors of the state directory: {error:#}"),
        }
        for (applied, bundled) in all {
            let origin = applied.origin.clone();
            if let Err(problem) = self.start(&mut running, applied, bundled).await {
                tracing::error!(detector = origin, %problem, "a detector does not start");
            }
        }
    }

    /// Applies a manifest; whether a detector of that name was there, and the version.
    pub(crate) async fn apply(&self, mut applied: Applied) -> Result<(bool, u64), Problem> {
        let mut running = self.running.lock().await;
        let name = parse(&applied)?.name;
        let redefined = running.contains_key(&name);
        if !redefined && running.len() >= MOST {
            return Err(Problem::Failed(format!("there are {MOST} detectors already; drop some")));
        }
        if !model_file::is_here(&applied.model_path, &applied.model) {
            applied.model_path.clear();
        }
        let version = self.start(&mut running, applied, false).await?;
        Ok((redefined, version))
    }

    /// Drops a detector; a bundled one that was redefined is as bundled again.
    pub(crate) async fn drop_detector(&self, name: &str) -> Result<(), Problem> {
        let mut running = self.running.lock().await;
        let Some(found) = running.get(name) else { return Err(unknown(name, &running)) };
        if found.bundled {
            return Err(Problem::Protected(format!(
                "`{name}` is bundled; to switch it off, apply its manifest with `enabled = false`"
            )));
        }
        if let Some(found) = running.remove(name) {
            found.stop().await;
        }
        if let Some(state) = &self.state {
            Kept::of(state, name).remove().map_err(|error| Problem::Failed(format!("{error:#}")))?;
        }
        let bundled = watershed_detectors::bundled().iter().find(|(file, _)| file.strip_suffix(".toml") == Some(name));
        if let Some((file, text)) = bundled {
            let (manifest, origin) = ((*text).to_owned(), (*file).to_owned());
            let applied = Applied { manifest, origin, version: 1, ..Applied::default() };
            self.start(&mut running, applied, true).await?;
        }
        Ok(())
    }

    /// All of them by name.
    pub(crate) async fn list(&self) -> Vec<Described> {
        self.running.lock().await.values().map(Running::describe).collect()
    }

    /// One of them.
    pub(crate) async fn show(&self, name: &str) -> Result<Described, Problem> {
        let running = self.running.lock().await;
        running.get(name).map(Running::describe).ok_or_else(|| unknown(name, &running))
    }

    /// Stops all; what they learned is kept.
    pub(crate) async fn stop(&self) {
        let running = std::mem::take(&mut *self.running.lock().await);
        for (_, running) in running {
            running.stop().await;
        }
    }
}

fn parse(applied: &Applied) -> Result<Manifest, Problem> {
    Manifest::parse(&applied.manifest, &applied.origin)
        .map_err(|error| Problem::Invalid { field: "manifest", message: error.to_string() })
}

fn invalid(origin: &str, message: &str) -> Problem {
    Problem::Invalid { field: "manifest", message: format!("{origin}: {message}") }
}

fn unknown(name: &str, running: &BTreeMap<String, Running>) -> Problem {
    let hint = match crate::engine::nearest(name, running.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`watershed detector list` tells what there is".to_owned(),
    };
    Problem::NotFound(format!("there is no detector named `{name}`; {hint}"))
}
