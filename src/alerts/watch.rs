//! One script's alerts: its view is followed, and what its machine says becomes rows and messages.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use tokio::sync::watch::Receiver;

use watershed_dataflow::Pace;
use watershed_model::tables::SYSTEM_LOSSES;

use super::machine::{Event as Told, Machine, Outcome};
use super::webhook::Message;
use super::{Context, table};
use crate::engine::{AlertScript, Beginning, Engine, Follower, Problem};
use crate::feed::Fed;
use crate::format::json;
use crate::rows::Event;
use crate::signals::stopped;

/// Who follows, in `system.subscriptions`.
const PEER: &str = "alerts";
/// After a view that cannot be followed, the next try is so much later.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Alerts are written to disk at most so often, in milliseconds of closed times.
const KEEP_EVERY_MS: u64 = 1000;

/// Watches a script until its sender is dropped or the server stops. Alerts that stood are cleared in the first case.
pub(super) async fn run(context: Context, mut script: Receiver<AlertScript>) {
    let mut watch = Watch {
        context,
        script: script.borrow_and_update().clone(),
        machine: Machine::default(),
        time: 0,
        kept: 0,
        is_changed: false,
    };
    watch.restore().await;
    loop {
        let rule = &watch.script.script.manifest.rule;
        watch.machine.configure(rule.raise_after, rule.clear_after);
        match watch.follow(&mut script).await {
            Ended::Changed => watch.script = script.borrow_and_update().clone(),
            Ended::Gone => break,
            Ended::Stopping => return watch.keep().await,
        }
    }
    let outcome = watch.machine.end(watch.time);
    watch.tell(outcome).await;
    watch.is_changed = true;
    watch.keep().await;
}

struct Watch {
    context: Context,
    script: AlertScript,
    machine: Machine,
    /// The last closed time.
    time: u64,
    /// When alerts were written to disk.
    kept: u64,
    /// Alerts were raised or cleared since.
    is_changed: bool,
}

/// Why a script is followed no longer.
enum Ended {
    /// It is another now.
    Changed,
    /// It is no alert any more.
    Gone,
    Stopping,
}

impl Watch {
    /// Takes over what stood in an earlier run.
    async fn restore(&mut self) {
        let alerts = self.context.kept.alerts(&self.script.script.name).await;
        let outcome = self.machine.restore(alerts);
        self.tell(outcome).await;
    }

    async fn keep(&mut self) {
        if std::mem::take(&mut self.is_changed) {
            self.kept = self.time;
            self.context.kept.keep_alerts(&self.script.script.name, self.machine.alerts()).await;
        }
    }

    /// Follows the view until something ends that; a view that fails is tried again.
    async fn follow(&mut self, script: &mut Receiver<AlertScript>) -> Ended {
        let mut stopping = self.context.stopping.clone();
        loop {
            let mut ended = pin!(async {
                tokio::select! {
                    biased;
                    () = stopped(&mut stopping) => Ended::Stopping,
                    changed = script.changed() => if changed.is_ok() { Ended::Changed } else { Ended::Gone },
                }
            });
            let problem = match self.start().await {
                Err(problem) => problem,
                Ok((mut follower, key)) => loop {
                    tokio::select! {
                        event = follower.next() => match event {
                            Ok(event) => self.take(event, &key).await,
                            Err(problem) => break problem,
                        },
                        ended = &mut ended => return ended,
                    }
                },
            };
            if *self.context.stopping.borrow() {
                return Ended::Stopping;
            }
            tracing::warn!(script = self.script.script.name, %problem, "alerts cannot be watched");
            tokio::select! {
                () = tokio::time::sleep(AGAIN_AFTER) => {}
                ended = &mut ended => return ended,
            }
        }
    }

    /// Begins to follow, with the columns that tell the view's rows apart.
    async fn start(&mut self) -> Result<(Follower, Vec<String>), Problem> {
        let engine = Arc::clone(&self.context.engine);
        let request = Engine::request_of(&self.script.script);
        let named = &self.script.script.manifest.rule.key;
        let key = if named.is_empty() { engine.key_of(&request, &self.script.table)? } else { named.clone() };
        let follower = Follower::start(engine, request, PEER.to_owned(), Beginning::Snapshot, Pace::Live).await?;
        self.machine.restart();
        Ok((follower, key))
    }

    async fn take(&mut self, event: Event, key: &[String]) {
        match event {
            Event::Changes(changes) if changes.table == self.script.table => {
                self.update(&changes.rows, &changes.diffs, key);
            }
            Event::Progress(time) => {
                self.time = time;
                let outcome = self.machine.close(time);
                self.tell(outcome).await;
                if time.saturating_sub(self.kept) >= KEEP_EVERY_MS {
                    self.keep().await;
                }
            }
            Event::Restart(_) => self.machine.restart(),
            Event::Schema(_) | Event::Changes(_) => {}
        }
    }

    fn update(&mut self, rows: &RecordBatch, diffs: &[i64], key: &[String]) {
        let columns: Vec<usize> = key.iter().filter_map(|column| rows.schema_ref().index_of(column).ok()).collect();
        let subjects = match rows.project(&columns) {
            Ok(keys) if !columns.is_empty() => json::objects(&keys),
            _ => json::objects(rows),
        };
        for ((subject, row), diff) in subjects.into_iter().zip(json::objects(rows)).zip(diffs) {
            self.machine.update(&subject, row, *diff);
        }
    }

    async fn tell(&mut self, outcome: Outcome) {
        let script = Arc::clone(&self.script.script);
        if !outcome.changes.is_empty() {
            let change = table::change(&script.name, &outcome.changes);
            self.context.feed.send(Fed::States(vec![change])).await;
        }
        self.is_changed |= !outcome.events.is_empty();
        let mut lost = 0;
        for Told::Raised(alert) | Told::Cleared(alert) in &outcome.events {
            tracing::info!(script = script.name, subject = alert.subject, state = table::state_of(alert), "alert");
            let webhook = script.manifest.rule.webhook.as_deref();
            lost += self.context.webhooks.send(webhook, &Message::of(&script.name, alert));
        }
        self.lose("webhook_queue_full", lost).await;
        let dropped = std::mem::take(&mut self.machine.dropped);
        self.lose("too_many_alerts", dropped).await;
    }

    async fn lose(&self, reason: &str, count: u64) {
        if count > 0 {
            let rows = table::loss(&self.context.node, reason, self.time, count);
            self.context.feed.send(Fed::Events(SYSTEM_LOSSES.name, rows)).await;
        }
    }
}
