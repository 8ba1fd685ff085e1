//! Detectors of this node: applied, started again after a restart, listed and dropped. Each works in a task of its own,
//! as a subscriber of its view.

mod batches;
mod flags;
mod kept;
pub(crate) mod replay;
mod rows;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use tokio::task::JoinHandle;
use watershed_detectors::report::Report;
use watershed_detectors::{Detector, FeatureColumn, Manifest, model};

use crate::engine::{Beginning, Engine, Follower, Problem, Request, Target};
use crate::feed::Feed;
use crate::rows::{Event, TableSchema};
use kept::Kept;
use work::{Shared, Work};

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
    /// Where the model's file lies.
    pub(crate) model_path: String,
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
    applied: Applied,
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
            text: self.applied.manifest.clone(),
            bundled: self.bundled,
            version: self.applied.version,
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

    /// Starts the bundled detectors if they are wanted, then those that the state directory holds, and returns before they are started:
    /// whoever asks for detectors meanwhile waits for them. One that does not start is reported and left alone.
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
        let manifest = parse(&applied)?;
        let before = running.get(&manifest.name).map(|running| running.applied.version);
        if before.is_none() && running.len() >= MOST {
            return Err(Problem::Failed(format!("there are {MOST} detectors already; drop some")));
        }
        applied.version = before.unwrap_or_default() + 1;
        let (name, version) = (manifest.name, applied.version);
        self.start(&mut running, applied.clone(), false).await?;
        if let Some(state) = &self.state {
            Kept::of(state, &name).write(&applied).map_err(|error| Problem::Failed(format!("{error:#}")))?;
        }
        Ok((before.is_some(), version))
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

    /// Starts a detector in place of the one of its name, whose state it goes on with.
    async fn start(
        &self,
        running: &mut BTreeMap<String, Running>,
        applied: Applied,
        bundled: bool,
    ) -> Result<(), Problem> {
        let manifest = parse(&applied)?;
        let scorer = model::build(&manifest, &applied.model).map_err(|message| invalid(&applied.origin, &message))?;
        let follower = follow(&self.engine, &manifest, &applied).await?;
        let kept = self.state.as_deref().map(|state| Kept::of(state, &manifest.name));
        let before = match running.remove(&manifest.name) {
            Some(before) => before.stop().await,
            None => None,
        };
        let detector = match before {
            Some(mut detector) => {
                detector.swap(manifest.clone(), scorer);
                detector
            }
            None => {
                let mut detector = Detector::new(manifest.clone(), scorer);
                if let Some(learned) = kept.as_ref().and_then(Kept::learned) {
                    detector.recall(learned);
                }
                detector
            }
        };
        let shared = Arc::<Shared>::default();
        let work = manifest.enabled.then(|| {
            let work = Work { follower, detector, feed: self.feed.clone(), shared: Arc::clone(&shared), kept };
            let (stop, stopped) = oneshot::channel();
            (stop, tokio::spawn(work.run(stopped)))
        });
        running.insert(manifest.name.clone(), Running { applied, manifest, bundled, shared, work });
        Ok(())
    }
}

/// Subscribes to what the manifest reads, and checks the manifest against its columns.
async fn follow(engine: &Arc<Engine>, manifest: &Manifest, applied: &Applied) -> Result<Follower, Problem> {
    let target = match &manifest.view {
        Some(view) => Target::Named(view.clone()),
        None => Target::Text { text: applied.script.clone(), origin: manifest.source().to_owned(), vis: None },
    };
    let request = Request { target, arguments: BTreeMap::new() };
    let peer = format!("detector {}", manifest.name);
    let started = Follower::start(Arc::clone(engine), request, peer, Beginning::Snapshot).await;
    let mut follower = started.map_err(|problem| match problem {
        Problem::NotFound(message) => invalid(&applied.origin, &message),
        other => other,
    })?;
    let Event::Schema(tables) = follower.next().await? else {
        return Err(Problem::Failed("a subscription begins with its schema".to_owned()));
    };
    let [table] = tables.as_slice() else {
        let message = format!("`{}` has {} tables; a detector reads one", manifest.source(), tables.len());
        return Err(invalid(&applied.origin, &message));
    };
    let checked = manifest.check_against(&columns_of(table), &applied.origin);
    checked.map_err(|error| Problem::Invalid { field: "manifest", message: error.to_string() })?;
    Ok(follower)
}

fn columns_of(table: &TableSchema) -> Vec<FeatureColumn> {
    let is_numeric = |data_type: &str| matches!(data_type, "INT64" | "FLOAT64" | "BOOLEAN");
    let column = |column: &crate::rows::Column| FeatureColumn {
        name: column.name.clone(),
        is_numeric: is_numeric(&column.data_type),
    };
    table.columns.iter().map(column).collect()
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
