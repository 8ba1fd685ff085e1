//! One kind: a list, then a watch from the list's version on, for ever.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::WatchParams;
use kube::core::{Request, WatchEvent};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Report;
use super::failure::{End, Failure, Pauses};
use super::list::list;
use super::paced::Paced;
use super::status::State;
use crate::decode::{Decoded, EndpointSlice, Named, Node, PodWire, Replicated, ServiceWire, Wire, decode};
use crate::facts::News;
use crate::object::Kind;

/// The server ends a watch after this.
const WATCH_SECONDS: u32 = 240;
/// So much later a watch that did not end is taken for dead.
const GRACE: Duration = Duration::from_secs(10);
/// What comes so soon after a watch was resumed may have happened while it was broken off.
const CATCHING_UP: Duration = Duration::from_secs(1);

/// Where a kind's objects are.
pub(super) struct Resource {
    pub(super) path: &'static str,
    /// More than the metadata is needed.
    pub(super) whole: bool,
}

/// What a watch needs.
pub(super) struct Link {
    pub(super) kind: Kind,
    pub(super) client: Client,
    pub(super) told: mpsc::Sender<Report>,
    pub(super) now_ns: fn() -> i64,
}

pub(super) fn spawn(watches: &mut JoinSet<()>, link: Link) {
    let whole = |path| Resource { path, whole: true };
    let metadata = |path| Resource { path, whole: false };
    match link.kind {
        Kind::Pod => watches.spawn(follow::<PodWire>(link, whole("/api/v1/pods"))),
        Kind::Service => watches.spawn(follow::<ServiceWire>(link, whole("/api/v1/services"))),
        Kind::EndpointSlice => {
            watches.spawn(follow::<EndpointSlice>(link, whole("/apis/discovery.k8s.io/v1/endpointslices")))
        }
        Kind::Node => watches.spawn(follow::<Node>(link, whole("/api/v1/nodes"))),
        Kind::Namespace => watches.spawn(follow::<Named>(link, metadata("/api/v1/namespaces"))),
        Kind::ReplicaSet => watches.spawn(follow::<Replicated>(link, whole("/apis/apps/v1/replicasets"))),
        Kind::Deployment => watches.spawn(follow::<Replicated>(link, whole("/apis/apps/v1/deployments"))),
        Kind::StatefulSet => watches.spawn(follow::<Named>(link, metadata("/apis/apps/v1/statefulsets"))),
        Kind::DaemonSet => watches.spawn(follow::<Named>(link, metadata("/apis/apps/v1/daemonsets"))),
        Kind::Job => watches.spawn(follow::<Named>(link, metadata("/apis/batch/v1/jobs"))),
        Kind::CronJob => watches.spawn(follow::<Named>(link, metadata("/apis/batch/v1/cronjobs"))),
    };
}

async fn follow<W: Wire>(link: Link, resource: Resource) {
    let mut pauses = Pauses::new();
    let mut version = None;
    let mut broken = false;
    loop {
        let started = Instant::now();
        let ended = match version.take() {
            None => link.relist::<W>(&resource, &mut version).await,
            Some(from) => link.watch::<W>(&resource, from, &mut version, broken).await,
        };
        let failure = match ended {
            Ok(()) => {
                broken = false;
                pauses.reset();
                continue;
            }
            Err(End::Alone) => return,
            Err(End::Failed(failure)) => failure,
        };
        if started.elapsed() > GRACE {
            pauses.reset();
        }
        broken = true;
        let state = match &failure {
            Failure::Gone => {
                tracing::info!(kind = link.kind.name(), "the version is not kept any more: listing again");
                version = None;
                (State::Listing, String::new())
            }
            Failure::Refused(why) => (State::Refused, why.clone()),
            Failure::Away(why) => (State::Away, why.clone()),
        };
        if link.tell(Report::State(link.kind, state.0, state.1)).await.is_err() {
            return;
        }
        tokio::time::sleep(pauses.after(&failure)).await;
    }
}

impl Link {
    pub(super) async fn tell(&self, report: Report) -> Result<(), End> {
        self.told.send(report).await.map_err(|_| End::Alone)
    }

    async fn relist<W: Wire>(&self, resource: &Resource, version: &mut Option<String>) -> Result<(), End> {
        let at_ns = (self.now_ns)();
        let listing = list::<W>(self, resource).await?;
        if listing.unread > 0 {
            self.tell(Report::Unread(self.kind, listing.unread)).await?;
        }
        // Of a version that is no number, nothing is said to be missing.
        let as_of = listing.version.parse().unwrap_or(0);
        let listed = News::Listed { kind: self.kind, uids: listing.uids, version: as_of, at_ns };
        self.tell(Report::News(listed)).await?;
        *version = Some(listing.version);
        Ok(())
    }

    /// Until the server ends the watch, which is no failure. `version` is where to go on.
    async fn watch<W: Wire>(
        &self,
        resource: &Resource,
        from: String,
        version: &mut Option<String>,
        broken: bool,
    ) -> Result<(), End> {
        let parameters = WatchParams { timeout: Some(WATCH_SECONDS), bookmarks: true, ..WatchParams::default() };
        let request = Request::new(resource.path);
        let request =
            if resource.whole { request.watch(&parameters, &from) } else { request.watch_metadata(&parameters, &from) };
        *version = Some(from);
        let request = request.map_err(|error| Failure::Away(error.to_string()))?;
        let mut events = Paced::new(Box::pin(self.client.request_events::<W>(request).await?));
        self.tell(Report::State(self.kind, State::Watching, String::new())).await?;
        let started = Instant::now();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(u64::from(WATCH_SECONDS)) + GRACE;
        loop {
            let event = match tokio::time::timeout_at(deadline, events.next()).await {
                Err(_) => return Err(Failure::Away("the watch went silent".into()).into()),
                Ok(None) if started.elapsed() < CATCHING_UP => {
                    return Err(Failure::Away("the watch ended at once".into()).into());
                }
                Ok(None) => return Ok(()),
                Ok(Some(Err(kube::Error::SerdeError(_)))) => {
                    self.tell(Report::Unread(self.kind, 1)).await?;
                    continue;
                }
                Ok(Some(event)) => event?,
            };
            self.take(event, version, broken && started.elapsed() < CATCHING_UP).await?;
        }
    }

    async fn take<W: Wire>(&self, event: WatchEvent<W>, version: &mut Option<String>, behind: bool) -> Result<(), End> {
        let (wire, gone) = match event {
            WatchEvent::Added(wire) | WatchEvent::Modified(wire) => (wire, false),
            WatchEvent::Deleted(wire) => (wire, true),
            WatchEvent::Bookmark(bookmark) => {
                *version = Some(bookmark.metadata.resource_version);
                return Ok(());
            }
            WatchEvent::Error(status) => return Err(Failure::of_status(&status).into()),
        };
        let Some(decoded) = decode(wire, self.kind) else { return self.tell(Report::Unread(self.kind, 1)).await };
        *version = Some(decoded.object.version.to_string());
        self.tell(Report::News(self.news(decoded, gone, behind))).await
    }

    fn news(&self, decoded: Decoded, gone: bool, behind: bool) -> News {
        let Decoded { object, deadline_ns } = decoded;
        if !gone {
            return News::Applied(object);
        }
        let now_ns = (self.now_ns)();
        let at_ns = if behind && deadline_ns > 0 { now_ns.min(deadline_ns) } else { now_ns };
        News::Deleted(object, at_ns)
    }
}
