//! Alerts: scripts whose rows are conditions that stand. A row that comes raises, one that goes clears; both become
//! rows of `system.alerts`, and are posted to whom the settings or the script's manifest name.

mod kept;
mod machine;
mod table;
mod watch;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch as channel;
use tokio::task::JoinHandle;
use watershed_ingest::redaction::Patterns;

use crate::engine::{AlertScript, Engine};
use crate::feed::Feed;
use crate::signals::stopped;
use kept::Kept;
use webhook::Webhooks;

/// Scripts that can be alerts at a time.
const ALERTS_MAX: usize = 200;

/// What watching alerts needs.
#[derive(Clone)]
struct Context {
    engine: Arc<Engine>,
    feed: Feed,
    node: String,
    webhooks: Webhooks,
    kept: Kept,
    stopping: channel::Receiver<bool>,
}

/// A script that is watched; it is told when its text is another, and ends when the sender is dropped.
struct Watched {
    script: channel::Sender<AlertScript>,
    task: JoinHandle<()>,
}

/// Where alerts go.
pub(crate) struct Outlets {
    pub(crate) feed: Feed,
    /// Everybody's address.
    pub(crate) webhook: Option<String>,
    /// What is not told there.
    pub(crate) hidden: Patterns,
    /// Name of this node.
    pub(crate) node: String,
    /// The state directory.
    pub(crate) state: Option<PathBuf>,
}

/// Watches all scripts that are alerts, as they come and go, until the server stops. `changes` tells that they do.
pub(crate) async fn keep(
    engine: Arc<Engine>,
    outlets: Outlets,
    mut changes: channel::Receiver<u64>,
    mut stopping: channel::Receiver<bool>,
) {
    let Outlets { feed, webhook, hidden, node, state } = outlets;
    let webhooks = match Webhooks::new(webhook, hidden, stopping.clone()) {
        Ok(webhooks) => webhooks,
        Err(error) => return tracing::error!("alerts cannot be watched: {error}"),
    };
    let kept = Kept::of(state.as_deref());
    webhooks.resume(kept.waiting().await);
    kept.keep_waiting(Vec::new()).await;
    let context = Context { engine, feed, node, webhooks, kept, stopping: stopping.clone() };
    let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        follow(&context, &mut watched).await;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break stopped(&mut stopping).await },
            () = stopped(&mut stopping) => break,
        }
    }
    // A watch whose sender is dropped clears its alerts; these are to stand when the server starts again.
    for watch in watched.values_mut() {
        let _ = (&mut watch.task).await;
    }
    context.kept.keep_waiting(context.webhooks.end().await).await;
}

/// Starts, changes and ends watches so that they are those of the scripts that there are.
async fn follow(context: &Context, watched: &mut BTreeMap<String, Watched>) {
    let mut scripts = context.engine.alert_scripts();
    if scripts.len() > ALERTS_MAX {
        tracing::error!("{} scripts are alerts; only {ALERTS_MAX} are watched", scripts.len());
        scripts = scripts.into_iter().take(ALERTS_MAX).collect();
    }
    let gone: Vec<_> = watched.keys().filter(|name| !scripts.contains_key(*name)).cloned().collect();
    for name in gone {
        if let Some(Watched { script, task }) = watched.remove(&name) {
            drop(script);
            let _ = task.await;
        }
    }
    for (name, script) in scripts {
        match watched.get(&name) {
            Some(watch) => {
                watch.script.send_if_modified(|current| {
                    let changed = *current != script;
                    *current = script;
                    changed
                });
            }
            None => {
                let (sender, receiver) = channel::channel(script);
                let task = tokio::spawn(watch::run(context.clone(), receiver));
                watched.insert(name, Watched { script: sender, task });
            }
        }
    }
}
