//! One detector at work: follows its view, scores a batch when one is due, and sends the flags that change.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use watershed_detectors::report::Report;
use watershed_detectors::{Change, Checkpoint, Detector};

use super::Applied;
use super::batches::Batches;
use super::flags::{Flag, Flags, state_change};
use super::kept::Kept;
use super::renewal::{LOOK_EVERY, Renewal, Version};
use super::rows::{Features, ViewRows};
use crate::engine::{Follower, Problem};
use crate::feed::{Fed, Feed};

/// A model that has not answered for so long hangs; its budget is counted in CPU time, this is not.
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// What was learned is written down so often, in the time of ticks.
const KEPT_EVERY_MS: u64 = 60_000;

/// What others may know of a detector at work.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) report: Mutex<Report>,
    /// The last problem that did not stop it.
    pub(super) problem: Mutex<String>,
    /// Grows with each manifest or model.
    pub(super) version: AtomicU64,
}

impl Shared {
    pub(super) fn new(version: u64) -> Self {
        Self { version: AtomicU64::new(version), ..Self::default() }
    }

    fn tell(&self, report: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
    }

    fn is_suspended(&self) -> bool {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).suspended.is_some()
    }

    pub(super) fn complain(&self, problem: String) {
        tracing::warn!(problem, "a detector");
        self.set_problem(problem);
    }

    fn set_problem(&self, problem: String) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// All that the task of a detector owns.
pub(super) struct Work {
    pub(super) follower: Follower,
    pub(super) detector: Detector,
    pub(super) batches: Batches,
    pub(super) renewal: Renewal,
    /// Without the model.
    pub(super) applied: Applied,
    pub(super) feed: Feed,
    pub(super) shared: Arc<Shared>,
    pub(super) kept: Option<Kept>,
}

impl Work {
    /// Works until it is stopped; what is left of the detector, unless its model hangs.
    pub(super) async fn run(self, mut stop: oneshot::Receiver<()>) -> Option<Detector> {
        let Work { mut follower, detector, mut batches, mut renewal, applied, feed, shared, kept } = self;
        let flags = Flags::default();
        let mut scoring = Scoring { detector: Some(detector), flags, applied, feed, shared, kept };
        let mut kept_at = None::<u64>;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // The wait for the next event is not given up while the model's file is looked at.
            let mut next = pin!(follower.next());
            let event = loop {
                tokio::select! {
                    event = &mut next => break Some(event),
                    _ = &mut stop => break None,
                    _ = look.tick() => scoring.renew(&mut renewal, &batches).await,
                }
            };
            let Some(event) = event else { break };
            let due = match event {
                Ok(event) => batches.take(event),
                Err(Problem::Stopping) => break,
                Err(problem) => {
                    scoring.shared.complain(format!("the view is gone: {problem}"));
                    break;
                }
            };
            match due {
                Ok(None) => {}
                Ok(Some(due)) => {
                    if due.changed || scoring.is_pending(due.time) {
                        scoring.batch(due.time, batches.rows()).await;
                    }
                    if due.time.saturating_sub(*kept_at.get_or_insert(due.time)) >= KEPT_EVERY_MS {
                        kept_at = Some(due.time);
                        scoring.keep().await;
                    }
                }
                Err(error) => scoring.shared.complain(format!("rows of the view: {error:#}")),
            }
        }
        scoring.keep().await;
        scoring.take_back().await;
        scoring.detector
    }
}

/// The detector with where its flags go.
struct Scoring {
    /// `None` once its model hangs.
    detector: Option<Detector>,
    flags: Flags,
    /// Without the model.
    applied: Applied,
    feed: Feed,
    shared: Arc<Shared>,
    kept: Option<Kept>,
}

impl Scoring {
    fn is_pending(&self, time: u64) -> bool {
        self.detector.as_ref().is_some_and(|detector| detector.is_pending(nanoseconds(time)))
    }

    async fn batch(&mut self, time: u64, rows: &ViewRows) {
        let Some(mut detector) = self.detector.take() else { return };
        let features = match rows.features(detector.manifest()) {
            Ok(features) => features,
            Err(error) => {
                let changes = detector.suspend(nanoseconds(time), format!("{error:#}"));
                self.finish(detector, changes, &Features::default()).await;
                return;
            }
        };
        let observations = features.observations(detector.manifest());
        let scoring = tokio::task::spawn_blocking(move || {
            let changes = detector.batch(nanoseconds(time), observations, &thread_time);
            (detector, changes)
        });
        match tokio::time::timeout(HANGS_AFTER, scoring).await {
            Ok(Ok((detector, changes))) => self.finish(detector, changes, &features).await,
            Ok(Err(_)) | Err(_) => self.hangs(time).await,
        }
    }

    async fn finish(&mut self, detector: Detector, changes: Vec<Change>, features: &Features) {
        let report = detector.report();
        let was_suspended = self.shared.is_suspended();
        if let Some(suspension) = report.suspended.as_ref().filter(|_| !was_suspended) {
            tracing::warn!(detector = detector.manifest().name, suspension.reason, "a detector is suspended");
        }
        self.shared.tell(report);
        let rows = self.flags.apply(detector.manifest(), changes, features);
        self.detector = Some(detector);
        self.send(&rows).await;
    }

    /// Takes another version of the model when one is ready; while there is none the one that works goes on.
    async fn renew(&mut self, renewal: &mut Renewal, batches: &Batches) {
        let Some(detector) = &mut self.detector else { return };
        let manifest = detector.manifest().clone();
        let rows = || batches.rows().features(&manifest).map(|features| features.observations(&manifest));
        let found = renewal.look(&manifest, batches.time(), || rows().unwrap_or_default()).await;
        let version = self.shared.version.load(Ordering::Relaxed);
        match found {
            None => {}
            Some(Err(problem)) => self.shared.complain(format!("{problem}; version {version} goes on")),
            Some(Ok(Version { file, scorer })) => {
                detector.renew(scorer);
                self.shared.tell(detector.report());
                self.shared.version.store(version + 1, Ordering::Relaxed);
                self.shared.set_problem(String::new());
                tracing::info!(detector = manifest.name, version = version + 1, "another version of the model");
                self.keep_model(file, version + 1).await;
            }
        }
    }

    async fn keep_model(&mut self, model: Vec<u8>, version: u64) {
        self.applied.version = version;
        let Some(kept) = self.kept.clone() else { return };
        let applied = Applied { model, ..self.applied.clone() };
        let written = tokio::task::spawn_blocking(move || kept.write(&applied)).await;
        if let Err(error) = written.map_err(anyhow::Error::from).flatten() {
            self.shared.complain(format!("the model cannot be kept: {error:#}"));
        }
    }

    /// The thread cannot be ended, so the detector is given up with it.
    async fn hangs(&mut self, time: u64) {
        let mut report = self.shared.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.errors += 1;
        report.flags = 0;
        report.suspended = Some(watershed_detectors::report::Suspension {
            time: nanoseconds(time),
            reason: format!("a batch has taken more than {HANGS_AFTER:?}"),
        });
        self.shared.tell(report);
        self.take_back().await;
    }

    async fn take_back(&mut self) {
        let rows = self.flags.take_back();
        self.send(&rows).await;
    }

    async fn send(&mut self, rows: &[(Flag, i64)]) {
        if let Some(change) = state_change(rows) {
            self.feed.send(Fed::States(vec![change])).await;
        }
    }

    async fn keep(&mut self) {
        let (Some(kept), Some(detector)) = (&self.kept, &self.detector) else { return };
        let checkpoint: Checkpoint = detector.checkpoint();
        if let Err(error) = kept.write_learned(checkpoint).await {
            self.shared.complain(format!("what was learned cannot be kept: {error:#}"));
        }
    }
}

pub(super) fn nanoseconds(time_ms: u64) -> i64 {
    watershed_model::TickTime(time_ms).as_nanoseconds()
}

/// CPU time of this thread.
pub(super) fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.max(0) as u64, time.tv_nsec as u32)
}
