//! The fields of Kubernetes' JSON that are read. Everything else is skipped without being stored.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Deserializer};

/// Go writes `null` for what is empty.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Structs whose fields may all be absent or null.
macro_rules! wire {
    ($($name:ident { $($(#[$attribute:meta])* $field:ident: $of:ty),* $(,)? })*) => {$(
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name {
            $($(#[$attribute])* #[serde(default, deserialize_with = "lenient")] pub(super) $field: $of,)*
        }
    )*};
}

wire! {
    Meta {
        uid: String,
        namespace: String,
        name: String,
        resource_version: String,
        creation_timestamp: Option<Time>,
        deletion_timestamp: Option<Time>,
        owner_references: Vec<OwnerReference>,
        labels: BTreeMap<String, String>,
    }
    OwnerReference { uid: String, kind: String, name: String, controller: bool }

    Named { metadata: Meta }

    Pod { metadata: Meta, spec: PodSpec, status: PodStatus }
    PodSpec { node_name: String, host_network: bool }
    PodStatus {
        phase: String,
        reason: String,
        message: String,
        qos_class: String,
        start_time: Option<Time>,
        #[serde(rename = "podIP")] pod_ip: String,
        #[serde(rename = "podIPs")] pod_ips: Vec<PodIp>,
        conditions: Vec<Condition>,
        init_container_statuses: Vec<ContainerStatus>,
        container_statuses: Vec<ContainerStatus>,
    }
    PodIp { ip: String }
    Condition { r#type: String, status: String, last_transition_time: Option<Time> }
    ContainerStatus {
        name: String,
        #[serde(rename = "containerID")] container_id: String,
        restart_count: i64,
        state: State,
        last_state: State,
    }
    State { running: Option<Running>, waiting: Option<Waiting>, terminated: Option<Terminated> }
    Running { started_at: Option<Time> }
    Waiting { reason: String, message: String }
    Terminated {
        #[serde(rename = "containerID")] container_id: String,
        reason: String, message: String, started_at: Option<Time>, finished_at: Option<Time> }

    Service { metadata: Meta, spec: ServiceSpec, status: ServiceStatus }
    ServiceSpec {
        selector: BTreeMap<String, String>,
        #[serde(rename = "clusterIP")] cluster_ip: String,
        #[serde(rename = "clusterIPs")] cluster_ips: Vec<String>,
        #[serde(rename = "externalIPs")] external_ips: Vec<String>,
    }
    ServiceStatus { load_balancer: LoadBalancer }
    LoadBalancer { ingress: Vec<Ingress> }
    Ingress { ip: String }

    EndpointSlice { metadata: Meta, endpoints: Vec<Endpoint> }
    Endpoint { target_ref: Target }
    Target { kind: String, uid: String }

    Node { metadata: Meta, spec: NodeSpec, status: NodeStatus }
    NodeSpec { #[serde(rename = "podCIDRs")] pod_cidrs: Vec<String> }
    NodeStatus { addresses: Vec<NodeAddress> }
    NodeAddress { r#type: String, address: String }

    Replicated { metadata: Meta, status: serde_json::Value }
}
