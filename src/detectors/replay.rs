//! A manifest over a recording, without a server: what would have been flagged, and the features that there would have
//! been. The recording is played as fast as it can be scored, and gives the same batches every time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::watch;
use watershed_dataflow::Input;
use watershed_detectors::{Detector, Manifest, model};
use watershed_ingest::redaction::Patterns;
use watershed_ingest::{Ingest, Pace, SourceSpec};
use watershed_model::Tick;

use super::batches::Batches;
use super::flags::{Flag, Flags};
use super::rows::Features;
use super::work::{nanoseconds, thread_time};
use super::{Applied, follow, parse};
use crate::config::Settings;
use crate::engine::{Engine, Follower};
use crate::exports::Exports;
use crate::failure::{Failure, Outcome};
use crate::feed::{Waiting, feed};
use crate::rows::Event;
use crate::run::{failure_of_ingest, host_name, ingest_config, start_dataflow};

/// So far the recording runs ahead of the batches.
const AHEAD_MS: u64 = 5_000;
/// A tick that is not followed by a position for so long lies behind a gap in the recording.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How often the end of the recording is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// A flag as it would have been.
#[derive(Debug, Clone)]
pub(crate) struct Episode {
    pub(crate) flag: Flag,
    /// When it was raised and cleared (ms); `None` while it stood at the end.
    pub(crate) raised: u64,
    pub(crate) cleared: Option<u64>,
}

/// What a manifest would have flagged.
pub(crate) struct Backtest {
    pub(crate) episodes: Vec<Episode>,
    pub(crate) report: watershed_detectors::report::Report,
}

/// What the manifest would have flagged of the recording that the settings name.
pub(crate) async fn backtest(settings: &Settings, applied: &Applied) -> Outcome<Backtest> {
    let manifest = parse(applied).map_err(Failure::usage)?;
    let scorer = model::build(&manifest, &applied.model);
    let scorer = scorer.map_err(|message| Failure::usage(format!("{}: {message}", applied.origin)))?;
    let mut detector = Detector::new(manifest.clone(), scorer);
    let (mut flags, mut episodes) = (Flags::default(), Vec::<Episode>::new());
    replay(settings, applied, &manifest, |time, changed, features| {
        if !changed && !detector.is_pending(nanoseconds(time)) {
            return Ok(());
        }
        let changes = detector.batch(nanoseconds(time), features.observations(&manifest), &thread_time);
        for (flag, diff) in flags.apply(&manifest, changes, features) {
            if diff > 0 {
                episodes.push(Episode { flag, raised: time, cleared: None });
            } else if let Some(episode) = episodes.iter_mut().rev().find(|episode| episode.flag == flag) {
                episode.cleared = Some(time);
            }
        }
        Ok(())
    })
    .await?;
    Ok(Backtest { episodes, report: detector.report() })
}

/// Plays the recording and hands over what is there at each batch: the time (ms), whether rows changed, the features.
async fn replay(
    settings: &Settings,
    applied: &Applied,
    manifest: &Manifest,
    mut each: impl FnMut(u64, bool, &Features) -> Outcome,
) -> Outcome {
    let Some(("recording", path)) = settings.source().split_once(':') else {
        return Err(Failure::usage("name a recording with --source recording:FILE"));
    };
    let (stop, stopping) = watch::channel(false);
    let node = settings.node().map_or_else(host_name, str::to_owned);
    let (dataflow, input, running) = start_dataflow(settings, &node)?;
    let (feed, beside) = feed();
    let exports = Exports::new(String::new(), Patterns::default(), None);
    let engine = Arc::new(Engine::new(dataflow, feed, exports, None, stopping));
    engine.restore().await.map_err(|problem| Failure::failed(format!("building the views: {problem}")))?;
    let mut follower = follow(&engine, manifest, applied).await.map_err(Failure::usage)?;
    let (played, acknowledge, output) = gate(input, beside);
    let spec = SourceSpec::Recording { path: PathBuf::from(path), pace: Pace::AsFast };
    let ingest =
        Ingest::start(spec, ingest_config(settings, &node), output).map_err(|error| failure_of_ingest(&error))?;
    let mut batches = Batches::new(manifest);
    let mut look = tokio::time::interval(LOOK);
    let mut end = None;
    let outcome = loop {
        let event = tokio::select! {
            event = follower.next() => event.map_err(Failure::failed)?,
            _ = look.tick(), if end.is_none() => {
                if ingest.status().ended {
                    end = Some(played.load(Ordering::Relaxed));
                }
                continue;
            }
        };
        let position = match &event {
            Event::Progress(time) => Some(*time),
            Event::Schema(_) | Event::Changes(_) | Event::Restart(_) => None,
        };
        if position.is_some_and(|position| end.is_some_and(|end| position > end)) {
            break Ok(());
        }
        if let Some(due) = batches.take(event).map_err(Failure::failed)? {
            let features = batches.rows().features(manifest).map_err(Failure::failed)?;
            if let Err(failure) = each(due.time, due.changed, &features) {
                break Err(failure);
            }
        }
        if let Some(position) = position {
            let _ = acknowledge.send(position);
        }
    };
    let _ = stop.send(true);
    drop::<(Follower, mpsc::Sender<u64>)>((follower, acknowledge));
    let ended = tokio::task::spawn_blocking(move || {
        ingest.stop();
        running.shutdown();
    });
    ended.await.map_err(Failure::failed)?;
    outcome
}

type Output = Box<dyn FnMut(Tick) + Send>;

/// Where ticks go: into the dataflow, but not far ahead of the position that is acknowledged. Tells the last one's time.
fn gate(input: Input, mut beside: Waiting) -> (Arc<AtomicU64>, mpsc::Sender<u64>, Output) {
    let played = Arc::<AtomicU64>::default();
    let (acknowledge, acknowledged) = mpsc::channel();
    let last = Arc::clone(&played);
    let mut position = None::<u64>;
    let output = move |mut tick: Tick| {
        let time = tick.time.0;
        beside.join(&mut tick);
        input.push_wait(tick);
        last.store(time, Ordering::Relaxed);
        let mut reached = *position.get_or_insert(time);
        while reached + AHEAD_MS < time {
            match acknowledged.recv_timeout(LONGEST_WAIT) {
                Ok(position) => reached = reached.max(position),
                Err(_) => break,
            }
        }
        position = Some(reached);
    };
    (played, acknowledge, Box::new(output))
}

/// The features of each subject, for training: columns by name.
#[derive(Default)]
pub(crate) struct Table {
    /// Nanoseconds since the epoch.
    pub(crate) times: Vec<i64>,
    pub(crate) subjects: Vec<String>,
    pub(crate) features: Vec<Vec<f32>>,
}

impl Table {
    /// Takes the features of a batch in.
    fn take(&mut self, time: u64, manifest: &Manifest, features: &Features) {
        self.features.resize(manifest.features.len(), Vec::new());
        for observation in features.observations(manifest) {
            self.times.push(nanoseconds(time));
            self.subjects.push(observation.subject);
            for (column, value) in self.features.iter_mut().zip(observation.features) {
                column.push(value);
            }
        }
    }
}

/// Features from the events of a subscription.
pub(crate) struct Live(Batches);

impl Live {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        Self(Batches::new(manifest))
    }

    /// Takes an event in, and the features of the batch that is due after it.
    pub(crate) fn take(&mut self, event: Event, manifest: &Manifest, table: &mut Table) -> anyhow::Result<()> {
        if let Some(due) = self.0.take(event)? {
            table.take(due.time, manifest, &self.0.rows().features(manifest)?);
        }
        Ok(())
    }
}

/// The features of the recording that the settings name.
pub(crate) async fn features(settings: &Settings, applied: &Applied) -> Outcome<(Manifest, Table)> {
    let manifest = parse(applied).map_err(Failure::usage)?;
    let mut table = Table::default();
    replay(settings, applied, &manifest, |time, _, features| {
        table.take(time, &manifest, features);
        Ok(())
    })
    .await?;
    Ok((manifest, table))
}
