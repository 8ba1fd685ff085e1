//! How a detector starts: its manifest checked, its model tried on the rows there are, the one of its name succeeded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use watershed_dataflow::Pace;
use watershed_detectors::model::{self, Scorer};
use watershed_detectors::{Detector, FeatureColumn, Manifest, trial};

use super::batches::Batches;
use super::kept::Kept;
use super::model_file::ModelFile;
use super::renewal::Renewal;
use super::work::{Shared, Work, nanoseconds, thread_time};
use super::{Applied, Detectors, Running, invalid, parse};
use crate::engine::{Beginning, Engine, Follower, Problem, Request, Target};
use crate::rows::{Event, TableSchema};

/// A view whose rows are not there after so long has none to try a model on.
const LONGEST_SNAPSHOT: Duration = Duration::from_secs(5);

impl Detectors {
    /// Starts a detector in place of the one of its name, whose state it goes on with; its version. One without a version
    /// is applied: it is tried on the rows there are, and kept.
    pub(super) async fn start(
        &self,
        running: &mut BTreeMap<String, Running>,
        mut applied: Applied,
        bundled: bool,
    ) -> Result<u64, Problem> {
        let manifest = parse(&applied)?;
        let scorer = model::build(&manifest, &applied.model).map_err(|message| invalid(&applied.origin, &message))?;
        let follower = follow(&self.engine, &manifest, &applied).await?;
        let mut ready = Ready { batches: Batches::new(&manifest), manifest, scorer, follower };
        let is_applied = applied.version == 0;
        if is_applied && ready.manifest.model.file().is_some() {
            ready.try_on(&applied.origin).await?;
        }
        let kept = self.state.as_deref().map(|state| Kept::of(state, &ready.manifest.name));
        let before = running.remove(&ready.manifest.name);
        let shared = before.as_ref().map(|before| Arc::clone(&before.shared));
        let before = match before {
            Some(before) => before.stop().await,
            None => None,
        };
        if is_applied {
            applied.version = 1 + shared.map_or(0, |shared| shared.version.load(Ordering::Relaxed));
        }
        let version = applied.version;
        let written = kept.as_ref().filter(|_| is_applied).map(|kept| kept.write(&applied)).transpose();
        let (name, started) = (ready.manifest.name.clone(), self.set_to_work(ready, before, applied, kept, bundled));
        running.insert(name, started);
        written.map(|_| version).map_err(|error| Problem::Failed(format!("{error:#}")))
    }

    fn set_to_work(
        &self,
        ready: Ready,
        before: Option<Detector>,
        mut applied: Applied,
        kept: Option<Kept>,
        bundled: bool,
    ) -> Running {
        let Ready { manifest, scorer, follower, batches } = ready;
        let shared = Arc::new(Shared::new(applied.version));
        let renewal = Renewal::new(ModelFile::new(&applied.model_path, &applied.model));
        applied.model = Vec::new();
        let text = applied.manifest.clone();
        let detector = succeed(before, &manifest, scorer, kept.as_ref());
        let work = manifest.enabled.then(|| {
            let (feed, shared) = (self.feed.clone(), Arc::clone(&shared));
            let work = Work { follower, detector, batches, renewal, applied, feed, shared, kept };
            let (stop, stopped) = oneshot::channel();
            (stop, tokio::spawn(work.run(stopped)))
        });
        Running { text, manifest, bundled, shared, work }
    }
}

/// All that is checked before a detector succeeds another.
struct Ready {
    manifest: Manifest,
    scorer: Box<dyn Scorer>,
    follower: Follower,
    batches: Batches,
}

impl Ready {
    /// Tries the model on the rows that the view has.
    async fn try_on(&mut self, origin: &str) -> Result<(), Problem> {
        let snapshot = async {
            while self.batches.prime(self.follower.next().await?).map_err(failed)? {}
            Ok::<_, Problem>(())
        };
        if let Ok(read) = tokio::time::timeout(LONGEST_SNAPSHOT, snapshot).await {
            read?;
        }
        let features = self.batches.rows().features(&self.manifest).map_err(failed)?;
        let (rows, time) = (features.observations(&self.manifest), nanoseconds(self.batches.time()));
        let tried =
            tokio::task::block_in_place(|| trial(&self.manifest, self.scorer.as_mut(), time, &rows, &thread_time));
        tried.map_err(|message| invalid(origin, &format!("tried on the {} rows there are: {message}", rows.len())))
    }
}

#[allow(clippy::needless_pass_by_value)] // The shape that `map_err` takes.
fn failed(error: anyhow::Error) -> Problem {
    Problem::Failed(format!("{error:#}"))
}

/// The detector with the state of the one before it, else with what the state directory holds.
fn succeed(before: Option<Detector>, manifest: &Manifest, scorer: Box<dyn Scorer>, kept: Option<&Kept>) -> Detector {
    if let Some(mut detector) = before {
        detector.swap(manifest.clone(), scorer);
        return detector;
    }
    let mut detector = Detector::new(manifest.clone(), scorer);
    if let Some(learned) = kept.and_then(Kept::learned) {
        detector.recall(learned);
    }
    detector
}

/// Subscribes to what the manifest reads, and checks the manifest against its columns.
pub(super) async fn follow(engine: &Arc<Engine>, manifest: &Manifest, applied: &Applied) -> Result<Follower, Problem> {
    let target = match &manifest.view {
        Some(view) => Target::Named(view.clone()),
        None => Target::Text { text: applied.script.clone(), origin: manifest.source().to_owned(), vis: None },
    };
    let request = Request { target, arguments: BTreeMap::new() };
    let peer = format!("detector {}", manifest.name);
    let started = Follower::start(Arc::clone(engine), request, peer, Beginning::Snapshot, Pace::Relaxed).await;
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
