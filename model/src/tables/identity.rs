//! What the cluster says of pods, services and addresses. Empty where there is no cluster.

use super::{Kind, Table};
use crate::columns::{Column, DataType, Pattern, Semantic, Storage};

/// Pods; kept some time after their end.
pub static K8S_PODS: Table = Table {
    name: "k8s.pods",
    kind: Kind::State,
    doc: "Pods; kept some time after their end.",
    columns: &[
        Column::new("pod_id", DataType::String, "uid of the pod."),
        Column::new("name", DataType::String, "`namespace/name`.").means(Semantic::PodName),
        Column::new("namespace", DataType::String, "Namespace.").means(Semantic::NamespaceName),
        Column::new("node", DataType::String, "Node that it runs on.").means(Semantic::NodeName),
        Column::new("ip", DataType::String, "Address of the pod.").means(Semantic::IpAddress),
        Column::new("host_network", DataType::Boolean, "It uses the addresses of its node."),
        Column::new("phase", DataType::String, "Pending, Running, Succeeded, Failed or Unknown.")
            .means(Semantic::PodPhase)
            .behaves(Pattern::GeneralEnum),
        Column::new("status", DataType::String, "JSON object: state, message, reason.")
            .means(Semantic::PodStatus)
            .behaves(Pattern::Structured),
        Column::new("labels", DataType::String, "Labels as a JSON object.").behaves(Pattern::Structured),
        Column::new("qos", DataType::String, "Quality of service class."),
        Column::new("owner_references", DataType::String, "JSON array of the owners: uid, kind, name.")
            .behaves(Pattern::Structured),
        Column::new("owner_kind", DataType::String, "Kind of the topmost owner, such as Deployment."),
        Column::new("owner_name", DataType::String, "`namespace/name` of the topmost owner."),
        Column::new("replicaset_id", DataType::String, "uid of its replica set."),
        Column::new("replicaset_name", DataType::String, "`namespace/name` of its replica set."),
        Column::new("deployment_id", DataType::String, "uid of its deployment."),
        Column::new("deployment_name", DataType::String, "`namespace/name` of its deployment."),
        Column::new("service_id", DataType::String, "uid of its service; a JSON array of several."),
        Column::new("service_name", DataType::String, "`namespace/name` of its service; a JSON array of several.")
            .means(Semantic::ServiceName),
        Column::new("start_time", DataType::Time64Ns, "When it was created.").means(Semantic::TimeNs),
        Column::new("stop_time", DataType::Time64Ns, "When it was deleted; 0 while it exists.").means(Semantic::TimeNs),
    ],
};

/// Containers of pods.
pub static K8S_CONTAINERS: Table = Table {
    name: "k8s.containers",
    kind: Kind::State,
    doc: "Containers of pods.",
    columns: &[
        Column::new("container_id", DataType::String, "Id given by the container runtime, without its scheme."),
        Column::new("name", DataType::String, "Name in the pod.").means(Semantic::ContainerName),
        Column::new("pod_id", DataType::String, "uid of the pod."),
        Column::new("state", DataType::String, "Running, Waiting, Terminated or Unknown.")
            .means(Semantic::ContainerState)
            .behaves(Pattern::GeneralEnum),
        Column::new("status", DataType::String, "JSON object: state, message, reason.")
            .means(Semantic::ContainerStatus)
            .behaves(Pattern::Structured),
        Column::new("start_time", DataType::Time64Ns, "When it was created.").means(Semantic::TimeNs),
        Column::new("stop_time", DataType::Time64Ns, "When it was deleted; 0 while it exists.").means(Semantic::TimeNs),
    ],
};

/// Services.
pub static K8S_SERVICES: Table = Table {
    name: "k8s.services",
    kind: Kind::State,
    doc: "Services.",
    columns: &[
        Column::new("service_id", DataType::String, "uid of the service."),
        Column::new("name", DataType::String, "`namespace/name`.").means(Semantic::ServiceName),
        Column::new("namespace", DataType::String, "Namespace.").means(Semantic::NamespaceName),
        Column::new("cluster_ip", DataType::String, "Address of the service, empty when it has none.")
            .means(Semantic::IpAddress),
        Column::new("external_ips", DataType::String, "JSON array of addresses outside of the cluster.")
            .behaves(Pattern::Structured),
        Column::new("start_time", DataType::Time64Ns, "When it was created.").means(Semantic::TimeNs),
        Column::new("stop_time", DataType::Time64Ns, "When it was deleted; 0 while it exists.").means(Semantic::TimeNs),
    ],
};

/// Replica sets.
pub static K8S_REPLICASETS: Table = Table {
    name: "k8s.replicasets",
    kind: Kind::State,
    doc: "Replica sets.",
    columns: &[
        Column::new("replicaset_id", DataType::String, "uid."),
        Column::new("name", DataType::String, "`namespace/name`."),
        Column::new("namespace", DataType::String, "Namespace.").means(Semantic::NamespaceName),
        Column::new("owner_references", DataType::String, "JSON array of the owners: uid, kind, name.")
            .behaves(Pattern::Structured),
        Column::new("status", DataType::String, "JSON object of the replica counts and conditions.")
            .behaves(Pattern::Structured),
        Column::new("deployment_id", DataType::String, "uid of its deployment."),
        Column::new("deployment_name", DataType::String, "`namespace/name` of its deployment."),
        Column::new("start_time", DataType::Time64Ns, "When it was created.").means(Semantic::TimeNs),
        Column::new("stop_time", DataType::Time64Ns, "When it was deleted; 0 while it exists.").means(Semantic::TimeNs),
    ],
};

/// Deployments.
pub static K8S_DEPLOYMENTS: Table = Table {
    name: "k8s.deployments",
    kind: Kind::State,
    doc: "Deployments.",
    columns: &[
        Column::new("deployment_id", DataType::String, "uid."),
        Column::new("name", DataType::String, "`namespace/name`."),
        Column::new("namespace", DataType::String, "Namespace.").means(Semantic::NamespaceName),
        Column::new("status", DataType::String, "JSON object of the replica counts and conditions.")
            .behaves(Pattern::Structured),
        Column::new("start_time", DataType::Time64Ns, "When it was created.").means(Semantic::TimeNs),
        Column::new("stop_time", DataType::Time64Ns, "When it was deleted; 0 while it exists.").means(Semantic::TimeNs),
    ],
};

/// Namespaces.
pub static K8S_NAMESPACES: Table = Table {
    name: "k8s.namespaces",
    kind: Kind::State,
    doc: "Namespaces.",
    columns: &[
        Column::new("namespace_id", DataType::String, "uid."),
        Column::new("name", DataType::String, "Name.").means(Semantic::NamespaceName),
        Column::new("start_time", DataType::Time64Ns, "When it was created.").means(Semantic::TimeNs),
        Column::new("stop_time", DataType::Time64Ns, "When it was deleted; 0 while it exists.").means(Semantic::TimeNs),
    ],
};

/// Nodes.
pub static K8S_NODES: Table = Table {
    name: "k8s.nodes",
    kind: Kind::State,
    doc: "Nodes.",
    columns: &[
        Column::new("node_id", DataType::String, "uid."),
        Column::new("name", DataType::String, "Name.").means(Semantic::NodeName),
        Column::new("ip", DataType::String, "Internal address.").means(Semantic::IpAddress),
        Column::new("pod_cidrs", DataType::String, "JSON array of the ranges of its pods.")
            .behaves(Pattern::Structured),
        Column::new("start_time", DataType::Time64Ns, "When it was created.").means(Semantic::TimeNs),
        Column::new("stop_time", DataType::Time64Ns, "When it was deleted; 0 while it exists.").means(Semantic::TimeNs),
    ],
};

/// Who had which address when.
pub static K8S_ADDRESSES: Table = Table {
    name: "k8s.addresses",
    kind: Kind::State,
    doc: "Who had which address when.",
    columns: &[
        Column::new("addr", DataType::String, "The address.").means(Semantic::IpAddress).stored(Storage::Address),
        Column::new("kind", DataType::String, "pod, service or node.").behaves(Pattern::GeneralEnum),
        Column::new("id", DataType::String, "uid of the owner."),
        Column::new("name", DataType::String, "`namespace/name` of a pod or service, name of a node."),
        Column::new("valid_from", DataType::Time64Ns, "The address is this owner's from then on.")
            .means(Semantic::TimeNs),
        Column::new("valid_to", DataType::Time64Ns, "Up to then, exclusive; 0 while it has it.")
            .means(Semantic::TimeNs),
    ],
};

/// The life of pods.
pub static POD_EVENTS: Table = Table {
    name: "pod_events",
    kind: Kind::Event,
    doc: "The life of pods.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it happened.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("pod_id", DataType::String, "uid of the pod."),
        Column::new("pod", DataType::String, "`namespace/name`.").means(Semantic::PodName),
        Column::new("namespace", DataType::String, "Namespace.").means(Semantic::NamespaceName),
        Column::new("node", DataType::String, "Node that it runs on, if any.").means(Semantic::NodeName),
        Column::new("container", DataType::String, "Container, empty where it is the pod itself.")
            .means(Semantic::ContainerName),
        Column::new(
            "event",
            DataType::String,
            "created, scheduled, ready, not_ready, restarted, oom_killed, completed, failed or deleted.",
        )
        .behaves(Pattern::GeneralEnum),
        Column::new("reason", DataType::String, "Reason as Kubernetes gives it."),
        Column::new("message", DataType::String, "Message as Kubernetes gives it."),
    ],
};
