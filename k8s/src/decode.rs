//! Objects as Kubernetes writes them, cut down to what identity needs. What has no uid is no object.

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core, discovery::v1 as discovery};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use crate::object::{Body, Container, Kind, Object, Owner, Pod, Service};

/// What is watched and how it becomes an [`Object`].
pub trait Decode {
    /// The part that identity needs; `None` when it has no uid, or no version that is a number.
    fn decode(&self) -> Option<Object>;
}

fn nanoseconds(time: Option<&Time>) -> i64 {
    time.and_then(|time| i64::try_from(time.0.as_nanosecond()).ok()).unwrap_or(0)
}

fn object(meta: &ObjectMeta, body: Body) -> Option<Object> {
    let mut owners: Vec<_> = meta.owner_references.iter().flatten().collect();
    owners.sort_by_key(|owner| owner.controller != Some(true));
    Some(Object {
        uid: meta.uid.clone()?,
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        version: meta.resource_version.as_ref()?.parse().ok()?,
        created_ns: nanoseconds(meta.creation_timestamp.as_ref()),
        owners: (owners.into_iter())
            .map(|owner| Owner { uid: owner.uid.clone(), kind: owner.kind.clone(), name: owner.name.clone() })
            .collect(),
        body,
    })
}

fn json(status: &impl serde::Serialize) -> String {
    serde_json::to_string(status).unwrap_or_default()
}

impl Decode for core::Pod {
    fn decode(&self) -> Option<Object> {
        let spec = self.spec.as_ref();
        let status = self.status.clone().unwrap_or_default();
        let containers: Vec<_> = (status.init_container_statuses.iter().flatten())
            .chain(status.container_statuses.iter().flatten())
            .map(container)
            .collect();
        let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let condition = |name: &str| status.conditions.iter().flatten().find(|condition| condition.type_ == name);
        let last_end_ns = containers.iter().map(|container| container.finished_ns).max().unwrap_or(0);
        let unready_ns = nanoseconds(condition("Ready").and_then(|ready| ready.last_transition_time.as_ref()));
        let primary = status.pod_ip.iter().cloned();
        let others = status.pod_ips.iter().flatten().map(|ip| ip.ip.clone());
        let mut ips: Vec<String> = primary.collect();
        ips.extend(others.filter(|ip| Some(ip) != status.pod_ip.as_ref()));
        let pod = Pod {
            node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            ips,
            host_network: spec.and_then(|spec| spec.host_network).unwrap_or(false),
            ready: condition("Ready").is_some_and(|condition| condition.status == "True"),
            ended_ns: if ended { last_end_ns.max(unready_ns) } else { 0 },
            phase: status.phase.unwrap_or_default(),
            reason: status.reason.unwrap_or_default(),
            message: status.message.unwrap_or_default(),
            labels: self.metadata.labels.clone().unwrap_or_default(),
            qos: status.qos_class.unwrap_or_default(),
            containers,
        };
        object(&self.metadata, Body::Pod(Box::new(pod)))
    }
}

fn container(status: &core::ContainerStatus) -> Container {
    let id = status.container_id.as_deref().unwrap_or_default();
    let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let mut container = Container {
        id: id.split_once("://").map_or(id, |(_, id)| id).to_owned(),
        name: status.name.clone(),
        state: "Unknown".into(),
        restarts: i64::from(status.restart_count),
        last_reason: last.and_then(|last| last.reason.clone()).unwrap_or_default(),
        ..Container::default()
    };
    let Some(state) = &status.state else { return container };
    if let Some(running) = &state.running {
        container.state = "Running".into();
        container.started_ns = nanoseconds(running.started_at.as_ref());
    } else if let Some(waiting) = &state.waiting {
        container.state = "Waiting".into();
        container.reason = waiting.reason.clone().unwrap_or_default();
        container.message = waiting.message.clone().unwrap_or_default();
    } else if let Some(ended) = &state.terminated {
        container.state = "Terminated".into();
        container.reason = ended.reason.clone().unwrap_or_default();
        container.message = ended.message.clone().unwrap_or_default();
        container.started_ns = nanoseconds(ended.started_at.as_ref());
        container.finished_ns = nanoseconds(ended.finished_at.as_ref());
    }
    container
}

impl Decode for core::Service {
    fn decode(&self) -> Option<Object> {
        let spec = self.spec.clone().unwrap_or_default();
        let mut cluster_ips = spec.cluster_ips.unwrap_or_else(|| spec.cluster_ip.into_iter().collect());
        cluster_ips.retain(|ip| !ip.is_empty() && ip != "None");
        let ingress = self.status.iter().filter_map(|status| status.load_balancer.as_ref()?.ingress.as_ref()).flatten();
        let mut external_ips = spec.external_ips.unwrap_or_default();
        external_ips.extend(ingress.filter_map(|ingress| ingress.ip.clone()));
        external_ips.sort();
        external_ips.dedup();
        let selector = spec.selector.unwrap_or_default();
        object(&self.metadata, Body::Service(Service { selector, cluster_ips, external_ips }))
    }
}

impl Decode for discovery::EndpointSlice {
    fn decode(&self) -> Option<Object> {
        let labels = self.metadata.labels.as_ref();
        let service = labels.and_then(|labels| labels.get("kubernetes.io/service-name")).cloned().unwrap_or_default();
        let targets = self.endpoints.iter().flat_map(|endpoint| endpoint.target_ref.iter().cloned());
        let pods = targets.filter(|target| target.kind.as_deref() == Some("Pod")).filter_map(|target| target.uid);
        object(&self.metadata, Body::EndpointSlice { service, pods: pods.collect() })
    }
}

impl Decode for core::Node {
    fn decode(&self) -> Option<Object> {
        let addresses = self.status.iter().flat_map(|status| status.addresses.iter().flatten());
        let ips = addresses.filter(|address| address.type_ == "InternalIP").map(|address| address.address.clone());
        let pod_cidrs = self.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
        object(&self.metadata, Body::Node { ips: ips.collect(), pod_cidrs })
    }
}

impl Decode for core::Namespace {
    fn decode(&self) -> Option<Object> {
        object(&self.metadata, Body::Namespace)
    }
}

impl Decode for apps::ReplicaSet {
    fn decode(&self) -> Option<Object> {
        object(&self.metadata, Body::ReplicaSet(json(&self.status)))
    }
}

impl Decode for apps::Deployment {
    fn decode(&self) -> Option<Object> {
        object(&self.metadata, Body::Deployment(json(&self.status)))
    }
}

macro_rules! stands_in_chains {
    ($($of:ty => $kind:ident),*) => {$(
        impl Decode for $of {
            fn decode(&self) -> Option<Object> {
                object(&self.metadata, Body::Owner(Kind::$kind))
            }
        }
    )*};
}

stands_in_chains!(apps::StatefulSet => StatefulSet, apps::DaemonSet => DaemonSet, batch::Job => Job, batch::CronJob => CronJob);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_as_the_server_writes_it_keeps_what_identity_needs() {
        let pod: core::Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"uid": "u", "name": "p", "namespace": "shop", "resourceVersion": "7",
                "creationTimestamp": "1970-01-01T00:00:01Z",
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "ru", "controller": true}]},
            "spec": {"nodeName": "n", "containers": []},
            "status": {"phase": "Succeeded", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                "containerStatuses": [{"name": "c", "containerID": "containerd://abc", "image": "i", "imageID": "i",
                    "ready": false, "restartCount": 2, "state": {"terminated": {"exitCode": 0, "reason": "Completed",
                    "finishedAt": "1970-01-01T00:00:05Z"}}}]}
        }))
        .unwrap();
        let object = pod.decode().unwrap();
        assert_eq!((object.version, object.created_ns, object.owners[0].uid.as_str()), (7, 1_000_000_000, "ru"));
        let Body::Pod(pod) = object.body else { panic!("no pod") };
        assert_eq!((pod.node.as_str(), pod.ended_ns), ("n", 5_000_000_000));
        assert_eq!(pod.ips, ["10.0.0.1", "fd00::1"]);
        assert_eq!((pod.containers[0].id.as_str(), pod.containers[0].restarts), ("abc", 2));
    }
}
