//! The cluster's names, if there is a cluster: its watches, and their rows on the way to the ticks.

use std::path::PathBuf;

use tokio::runtime::Runtime;
use watershed_k8s::watch::{self, Access, Told};
use watershed_model::tables::POD_EVENTS;

use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::feed::{Fed, Feed};
use crate::signals;

/// Where the cluster is. A recording is of another time and perhaps another cluster, so it must be asked for.
fn access(settings: &Settings) -> Option<Access> {
    match settings.kubeconfig() {
        Some("none") => None,
        Some("in-cluster") => Some(Access::InCluster),
        Some(path) => Some(Access::Kubeconfig(PathBuf::from(path))),
        None if settings.source() == "kernel" && watch::in_cluster() => Some(Access::InCluster),
        None => None,
    }
}

/// The thread that watches, on its own: with more than one, each event of a watch wakes another. It ends with this.
#[derive(Debug)]
pub(crate) struct Watching(Option<Runtime>);

impl Drop for Watching {
    fn drop(&mut self) {
        // Waiting for its end is not allowed where others are served.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Starts to watch. A server that does not answer is no failure.
pub(crate) async fn watch(settings: &Settings, feed: Feed) -> Outcome<Option<Watching>> {
    let Some(access) = access(settings) else { return Ok(None) };
    let runtime = signals::runtime("cluster", 1)?;
    let (thread, watching) = (runtime.handle().clone(), Watching(Some(runtime)));
    let connecting = thread.spawn(async move { watch::connect(&access).await });
    let connected = connecting.await.map_err(Failure::failed)?;
    let client = connected.map_err(|error| Failure::usage(format!("--kubeconfig {error}")))?;
    let tell = async move |told: Told| {
        let Told { states, events } = told;
        if !states.is_empty() && !feed.send(Fed::States(states)).await {
            return false;
        }
        match events {
            Some(events) => feed.send(Fed::Events(POD_EVENTS.name, events)).await,
            None => true,
        }
    };
    thread.spawn(watch::run(client, watershed_ingest::now_ns, tell));
    Ok(Some(watching))
}
