//! Objects as Kubernetes writes them, cut down to what identity needs. What has no uid is no object.

mod wire;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::de::DeserializeOwned;

use crate::object::{Body, Container, Kind, Object, Owner, Pod, Service};
use wire::{Condition, ContainerStatus, Meta};

pub(crate) use wire::{EndpointSlice, Named, Node, Pod as PodWire, Replicated, Service as ServiceWire};

/// An object and by when it should be gone, nanoseconds since the epoch; 0 when nobody asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The part that identity needs.
    pub(crate) object: Object,
    /// `deletionTimestamp`.
    pub(crate) deadline_ns: i64,
}

/// What the server writes and how it becomes an [`Object`].
pub(crate) trait Wire: DeserializeOwned + Clone + Send + 'static {
    /// The object's metadata and what is particular to its kind.
    fn parts(self, kind: Kind) -> (Meta, Body);
}

/// `None` when it has no uid, or no version that is a number.
pub(crate) fn decode(wire: impl Wire, kind: Kind) -> Option<Decoded> {
    let (meta, body) = wire.parts(kind);
    if meta.uid.is_empty() {
        return None;
    }
    let mut owners = meta.owner_references;
    owners.sort_by_key(|owner| !owner.controller);
    let object = Object {
        uid: meta.uid.into(),
        namespace: meta.namespace,
        name: meta.name,
        version: meta.resource_version.parse().ok()?,
        created_ns: nanoseconds(meta.creation_timestamp.as_ref()),
        owners: (owners.into_iter())
            .map(|owner| Owner { uid: owner.uid.into(), kind: owner.kind, name: owner.name })
            .collect(),
        body,
    };
    Some(Decoded { object, deadline_ns: nanoseconds(meta.deletion_timestamp.as_ref()) })
}

fn nanoseconds(time: Option<&Time>) -> i64 {
    time.and_then(|time| i64::try_from(time.0.as_nanosecond()).ok()).unwrap_or(0)
}

impl Wire for PodWire {
    fn parts(self, _: Kind) -> (Meta, Body) {
        let PodWire { mut metadata, spec, status } = self;
        let containers: Vec<_> =
            status.init_container_statuses.into_iter().chain(status.container_statuses).map(container).collect();
        let ready = status.conditions.iter().find(|condition| condition.r#type == "Ready");
        let ended_ns = match status.phase.as_str() {
            "Succeeded" | "Failed" => ended(&containers, ready),
            _ => 0,
        };
        let mut ips: Vec<String> =
            status.pod_ips.into_iter().map(|ip| ip.ip).filter(|ip| *ip != status.pod_ip).collect();
        if !status.pod_ip.is_empty() {
            ips.insert(0, status.pod_ip);
        }
        let pod = Pod {
            node: spec.node_name,
            ips,
            host_network: spec.host_network,
            ready: ready.is_some_and(|ready| ready.status == "True"),
            started_ns: nanoseconds(status.start_time.as_ref()),
            ended_ns,
            phase: status.phase,
            reason: status.reason,
            message: status.message,
            labels: std::mem::take(&mut metadata.labels).into(),
            qos: status.qos_class,
            containers,
        };
        (metadata, Body::Pod(Box::new(pod)))
    }
}

/// Ends are told in whole seconds: what happened at the end of one was said to be over at its beginning.
const REST_OF_SECOND_NS: i64 = 999_999_999;

/// When the last container ended, or the pod stopped being ready, whichever is later; the last moment that it may mean.
fn ended(containers: &[Container], ready: Option<&Condition>) -> i64 {
    let last_ns = containers.iter().map(|container| container.finished_ns).max().unwrap_or(0);
    let last_ns = last_ns.max(nanoseconds(ready.and_then(|ready| ready.last_transition_time.as_ref())));
    if last_ns == 0 { 0 } else { last_ns.saturating_add(REST_OF_SECOND_NS) }
}

fn container(status: ContainerStatus) -> Container {
    let last = status.last_state.terminated.unwrap_or_default();
    let mut container = Container {
        id: without_scheme(&status.container_id),
        name: status.name,
        state: "Unknown".into(),
        restarts: status.restart_count,
        last_reason: last.reason,
        last_id: without_scheme(&last.container_id),
        last_started_ns: nanoseconds(last.started_at.as_ref()),
        last_finished_ns: nanoseconds(last.finished_at.as_ref()),
        ..Container::default()
    };
    let state = status.state;
    if let Some(running) = state.running {
        container.state = "Running".into();
        container.started_ns = nanoseconds(running.started_at.as_ref());
    } else if let Some(waiting) = state.waiting {
        container.state = "Waiting".into();
        container.reason = waiting.reason;
        container.message = waiting.message;
    } else if let Some(ended) = state.terminated {
        container.state = "Terminated".into();
        container.started_ns = nanoseconds(ended.started_at.as_ref());
        container.finished_ns = nanoseconds(ended.finished_at.as_ref());
        container.reason = ended.reason;
        container.message = ended.message;
    }
    container
}

fn without_scheme(id: &str) -> String {
    id.split_once("://").map_or(id, |(_, id)| id).to_owned()
}

impl Wire for ServiceWire {
    fn parts(self, _: Kind) -> (Meta, Body) {
        let ServiceWire { metadata, spec, status } = self;
        let mut cluster_ips = spec.cluster_ips;
        if cluster_ips.is_empty() {
            cluster_ips.push(spec.cluster_ip);
        }
        cluster_ips.retain(|ip| !ip.is_empty() && ip != "None");
        let mut external_ips = spec.external_ips;
        external_ips.extend(status.load_balancer.ingress.into_iter().map(|ingress| ingress.ip));
        external_ips.retain(|ip| !ip.is_empty());
        external_ips.sort();
        external_ips.dedup();
        (metadata, Body::Service(Service { selector: spec.selector, cluster_ips, external_ips }))
    }
}

impl Wire for EndpointSlice {
    fn parts(self, _: Kind) -> (Meta, Body) {
        let mut metadata = self.metadata;
        let service = metadata.labels.remove("kubernetes.io/service-name").unwrap_or_default();
        let targets = self.endpoints.into_iter().map(|endpoint| endpoint.target_ref);
        let pods = targets.filter(|target| target.kind == "Pod" && !target.uid.is_empty());
        (metadata, Body::EndpointSlice { service, pods: pods.map(|target| target.uid.into()).collect() })
    }
}

impl Wire for Node {
    fn parts(self, _: Kind) -> (Meta, Body) {
        let internal = self.status.addresses.into_iter().filter(|address| address.r#type == "InternalIP");
        let ips = internal.map(|address| address.address).collect();
        (self.metadata, Body::Node { ips, pod_cidrs: self.spec.pod_cidrs })
    }
}

impl Wire for Replicated {
    fn parts(self, kind: Kind) -> (Meta, Body) {
        let status = if self.status.is_null() { "{}".to_owned() } else { self.status.to_string() };
        let body = if kind == Kind::Deployment { Body::Deployment(status) } else { Body::ReplicaSet(status) };
        (self.metadata, body)
    }
}

impl Wire for Named {
    fn parts(self, kind: Kind) -> (Meta, Body) {
        (self.metadata, if kind == Kind::Namespace { Body::Namespace } else { Body::Owner(kind) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
