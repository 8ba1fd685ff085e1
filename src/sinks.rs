//! The sinks of a server: applied, replaced, dropped, kept on disk and started again.

mod feed;
mod state;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use watershed_ingest::redaction::Patterns;
use watershed_proto::v1;
use watershed_sinks::{Identity, Manifest, Phase, Running, Status};

use crate::engine::{Engine, Problem};
use feed::EngineFeed;
use state::Kept;

/// Applying waits this long for the first batch to be written.
const FIRST_BATCH: Duration = Duration::from_secs(10);
/// Sinks that a server runs at most.
const MOST: usize = 100;

/// All sinks.
pub(crate) struct Sinks {
    engine: Arc<Engine>,
    node: String,
    /// What they do not tell, unless their manifest says otherwise.
    hidden: Patterns,
    state: Option<PathBuf>,
    /// Where sinks may write files.
    files: Option<PathBuf>,
    applied: Mutex<BTreeMap<String, Applied>>,
    /// Held while sinks are applied or dropped, so that what runs and the files agree.
    changing: tokio::sync::Mutex<()>,
}

/// Directories of the sinks.
pub(crate) struct Places {
    /// Where they are kept.
    pub(crate) state: Option<PathBuf>,
    /// Where they may write files.
    pub(crate) files: Option<PathBuf>,
}

struct Applied {
    kind: &'static str,
    view: String,
    kept: Kept,
    running: Running,
}

impl Sinks {
    /// `hidden` is what sinks do not tell unless their manifest says otherwise.
    pub(crate) fn new(engine: Arc<Engine>, node: String, hidden: Patterns, places: Places) -> Self {
        let Places { state, files } = places;
        Self { engine, node, hidden, state, files, applied: Mutex::default(), changing: tokio::sync::Mutex::default() }
    }

    /// Starts what the state directory holds; what cannot be started is reported and left alone.
    pub(crate) async fn restore(&self) -> Result<(), Problem> {
        let Some(directory) = &self.state else { return Ok(()) };
        let _changing = self.changing.lock().await;
        for kept in state::read(directory).map_err(|error| Problem::Failed(error.to_string()))? {
            let started = kept.map_err(|error| Problem::Failed(error.to_string())).and_then(|kept| self.start(kept));
            match started {
                Ok((name, applied)) => drop(self.lock().insert(name, applied)),
                Err(problem) => tracing::error!(%problem, "a sink of the state directory cannot be started"),
            }
        }
        Ok(())
    }

    /// Starts a sink, or replaces the one of its name; whether there was one, and how the new one is doing. When it
    /// fails at once, all is as it was before.
    pub(crate) async fn apply(
        &self,
        manifest: String,
        origin: String,
        script: Option<(String, String)>,
    ) -> Result<(bool, v1::Sink), Problem> {
        let _changing = self.changing.lock().await;
        let parsed = parse(&manifest, &origin)?;
        let before = self.lock().remove(&parsed.name);
        if before.is_none() && self.lock().len() >= MOST {
            return Err(Problem::Failed(format!("there are {MOST} sinks already; drop one")));
        }
        // Two sinks of one name must not write at the same time.
        let before = match before {
            Some(Applied { kept, running, .. }) => {
                running.stop().await;
                Some(kept)
            }
            None => None,
        };
        match self.begin(Kept { manifest, origin, script }).await {
            Ok(sink) => Ok((before.is_some(), sink)),
            Err(problem) => {
                if let Some(kept) = before {
                    let (name, applied) = self.start(kept)?;
                    self.lock().insert(name, applied);
                }
                Err(problem)
            }
        }
    }

    async fn begin(&self, kept: Kept) -> Result<v1::Sink, Problem> {
        let (name, applied) = self.start(kept)?;
        let mut phases = applied.running.status().phases();
        let decided = phases.wait_for(|phase| matches!(phase, Phase::Running | Phase::Failed));
        // Not there yet is no mistake: the sink goes on trying.
        let _ = tokio::time::timeout(FIRST_BATCH, decided).await;
        let status = applied.running.status().snapshot();
        if status.phase == Phase::Failed {
            let message = format!("{}: {}", applied.kept.origin, status.reason);
            return Err(Problem::Invalid { field: "manifest", message });
        }
        if let Some(directory) = &self.state {
            let written = state::write(directory, &name, &applied.kept);
            written.map_err(|error| Problem::Failed(error.to_string()))?;
        }
        let sink = applied.row(&name);
        self.lock().insert(name, applied);
        Ok(sink)
    }

    fn start(&self, kept: Kept) -> Result<(String, Applied), Problem> {
        let manifest = parse(&kept.manifest, &kept.origin)?;
        let wrong =
            |message: String| Problem::Invalid { field: "manifest", message: format!("{}: {message}", kept.origin) };
        let engine = Arc::clone(&self.engine);
        let hidden = self.hidden(manifest.redact.as_deref()).map_err(&wrong)?;
        let feed = EngineFeed::new(engine, &manifest, kept.script.clone(), hidden);
        let feed = feed.map_err(|problem| wrong(problem.to_string()))?;
        let shape = feed.shape().map_err(|problem| wrong(problem.to_string()))?;
        manifest.kind.check(&shape).map_err(|error| wrong(error.to_string()))?;
        let identity = Identity { sink: manifest.name.clone(), node: self.node.clone() };
        let endpoint =
            manifest.kind.endpoint(identity, self.files.as_deref()).map_err(|error| wrong(error.to_string()))?;
        let running = Running::start(Arc::new(feed), endpoint, manifest.budget);
        let view = manifest.follows.name().to_owned();
        Ok((manifest.name, Applied { kind: manifest.kind.name(), view, kept, running }))
    }

    /// What a sink does not tell, given what its manifest says.
    fn hidden(&self, rules: Option<&[String]>) -> Result<Arc<Patterns>, String> {
        let Some(rules) = rules else { return Ok(Arc::new(self.hidden.clone())) };
        let mut hidden = Patterns::default().with_host(&self.node);
        for rule in rules {
            hidden.extend(&rule.parse().map_err(|error| format!("redact: {error}"))?);
        }
        Ok(Arc::new(hidden))
    }

    /// Ends a sink and forgets it.
    pub(crate) async fn drop_sink(&self, name: &str) -> Result<(), Problem> {
        let _changing = self.changing.lock().await;
        let Some(applied) = self.lock().remove(name) else {
            return Err(Problem::NotFound(format!(
                "there is no sink named `{name}`; `watershed sink list` tells what there is"
            )));
        };
        applied.running.stop().await;
        match &self.state {
            Some(directory) => state::remove(directory, name).map_err(|error| Problem::Failed(error.to_string())),
            None => Ok(()),
        }
    }

    /// All sinks by name, then what scripts export.
    pub(crate) fn list(&self) -> Vec<v1::Sink> {
        let applied: Vec<_> = self.lock().iter().map(|(name, applied)| applied.row(name)).collect();
        applied.into_iter().chain(self.engine.exports.list()).collect()
    }

    /// Ends all sinks, in bounded time; they are there again after a restart.
    pub(crate) async fn stop(&self) {
        let applied = std::mem::take(&mut *self.lock());
        let ending = applied.into_values().map(|applied| tokio::spawn(applied.running.stop()));
        for ended in ending.collect::<Vec<_>>() {
            // A task that panicked has ended as well.
            let _ = ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Applied>> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(manifest: &str, origin: &str) -> Result<Manifest, Problem> {
    Manifest::parse(manifest, origin)
        .map_err(|error| Problem::Invalid { field: "manifest", message: error.to_string() })
}

impl Applied {
    fn row(&self, name: &str) -> v1::Sink {
        row(name.to_owned(), self.kind, self.view.clone(), self.running.status())
    }
}

/// How a sink is doing.
pub(crate) fn row(name: String, kind: &str, view: String, status: &Status) -> v1::Sink {
    let status = status.snapshot();
    let lag_ms = if status.frontier == 0 { 0 } else { status.closed.saturating_sub(status.frontier) };
    v1::Sink {
        name,
        kind: kind.to_owned(),
        view,
        phase: status.phase.name().to_owned(),
        frontier: status.frontier,
        lag_ns: lag_ms.saturating_mul(1_000_000),
        written: status.written,
        retried: status.retried,
        dropped: status.dropped,
        restarts: status.restarts,
        waiting_bytes: status.waiting_bytes,
        reason: status.reason,
    }
}
