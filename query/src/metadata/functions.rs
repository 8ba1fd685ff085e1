//! Which function reads which column of which look-up.

use watershed_model::DataType;

use super::lookups::Lookup;
use Lookup::{
    AddressOfNode, AddressOfPod, AddressOfService, Container, ContainerByName, Deployment, DeploymentByName,
    NamespaceByName, Node, Pod, PodByName, Process, ReplicaSet, ReplicaSetByName, Service, ServiceByName, UpidToPod,
};

/// A metadata function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Function {
    /// As PxL calls it, without `px.`
    pub(super) name: &'static str,
    /// The key, and for some the time of the question, which may be left out.
    pub(super) arguments: &'static [DataType],
    pub(super) result: DataType,
    pub(super) means: Means,
}

impl Function {
    /// What it gives, in a sentence.
    pub(super) fn doc(&self) -> String {
        match &self.means {
            Means::Column(from, column) => {
                format!("{} of a {}; empty where that is not known.", told(column), from.noun())
            }
            Means::Owner(of) => {
                format!("Id of the {} that has an address, at a time if one is given; else the youngest.", of.noun())
            }
            Means::Of(outer, inner) => format!("{outer} of {inner}."),
            Means::ContainerName => {
                "Name of a process's container in its pod; without Kubernetes, as Docker or Podman call it, else its systemd \
                 service."
                    .into()
            }
            Means::PodOrAddress => "Name of a process's pod, or of the pod that had the address at the time.".into(),
            Means::BestName => {
                "The best known name: the service, else the pod, else process@host, else the address; by the address's \
                 owner at a time if one is given, else the youngest."
                    .into()
            }
            Means::BestKind => "What best_name is of: service, pod, process or address.".into(),
            Means::Since => {
                "When the owners of an address changed last before a time, or at all; 0 if they did not.".into()
            }
            Means::Nothing => "Empty: no table holds it.".into(),
        }
    }
}

/// A column in words, in a sentence's beginning.
fn told(column: &str) -> String {
    let words = column.replace('_', " ").replace("qos", "quality of service");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What a call is rewritten to.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Means {
    /// A column of the look-up's row for the first argument.
    Column(Lookup, &'static str),
    /// The owner of an address at the time of the second argument; without one, the youngest.
    Owner(Lookup),
    /// When the span of an address around the time of the second argument began.
    Since,
    /// Another metadata function of another's result; a time goes to the inner one.
    Of(&'static str, &'static str),
    /// The container's name in its pod, else as the machine calls it.
    ContainerName,
    /// The pod of a process, else that of the address.
    PodOrAddress,
    /// The best known name of a process, or of an address where that is not known.
    BestName,
    /// What that name is of: `service`, `pod`, `process` or `address`.
    BestKind,
    /// Always empty: no table holds it.
    Nothing,
}

const S: DataType = DataType::String;
const T: DataType = DataType::Time64Ns;
const U: DataType = DataType::Uint128;

const fn of(
    name: &'static str,
    key: &'static [DataType],
    result: DataType,
    from: Lookup,
    column: &'static str,
) -> Function {
    Function { name, arguments: key, result, means: Means::Column(from, column) }
}

const fn owner(name: &'static str, of: Lookup) -> Function {
    Function { name, arguments: &[S, T], result: S, means: Means::Owner(of) }
}

const fn chain(name: &'static str, outer: &'static str, inner: &'static str) -> Function {
    Function { name, arguments: &[S, T], result: S, means: Means::Of(outer, inner) }
}

pub(super) const FUNCTIONS: &[Function] = &[
    of("upid_to_container_id", &[U], S, Process, "container"),
    of("upid_to_cmdline", &[U], S, Process, "cmdline"),
    of("upid_to_hostname", &[U], S, Process, "host"),
    of("upid_to_process_name", &[U], S, Process, "name"),
    Function { name: "upid_to_container_name", arguments: &[U], result: S, means: Means::ContainerName },
    of("upid_to_namespace", &[U], S, UpidToPod, "namespace"),
    of("upid_to_node_name", &[U], S, UpidToPod, "node"),
    of("upid_to_pod_id", &[U], S, UpidToPod, "pod_id"),
    of("upid_to_pod_name", &[U], S, UpidToPod, "name"),
    of("upid_to_pod_qos", &[U], S, UpidToPod, "qos"),
    of("upid_to_pod_status", &[U], S, UpidToPod, "status"),
    of("upid_to_service_name", &[U], S, UpidToPod, "service_name"),
    of("upid_to_service_id", &[U], S, UpidToPod, "service_id"),
    of("upid_to_replicaset_name", &[U], S, UpidToPod, "replicaset_name"),
    of("upid_to_replicaset_id", &[U], S, UpidToPod, "replicaset_id"),
    of("upid_to_deployment_name", &[U], S, UpidToPod, "deployment_name"),
    of("upid_to_deployment_id", &[U], S, UpidToPod, "deployment_id"),
    Function {
        name: "_upid_to_podname_local_addr_fallback",
        arguments: &[U, S, T],
        result: S,
        means: Means::PodOrAddress,
    },
    of("container_id_to_status", &[S], S, Container, "status"),
    of("container_id_to_start_time", &[S], T, Container, "start_time"),
    of("container_id_to_stop_time", &[S], T, Container, "stop_time"),
    of("container_name_to_container_id", &[S], S, ContainerByName, "container_id"),
    of("container_name_to_start_time", &[S], T, ContainerByName, "start_time"),
    of("container_name_to_stop_time", &[S], T, ContainerByName, "stop_time"),
    owner("ip_to_pod_id", AddressOfPod),
    owner("ip_to_service_id", AddressOfService),
    owner("ip_to_node_id", AddressOfNode),
    of("pod_id_to_pod_name", &[S], S, Pod, "name"),
    of("pod_id_to_pod_labels", &[S], S, Pod, "labels"),
    of("pod_id_to_namespace", &[S], S, Pod, "namespace"),
    of("pod_id_to_node_name", &[S], S, Pod, "node"),
    of("pod_id_to_replicaset_name", &[S], S, Pod, "replicaset_name"),
    of("pod_id_to_replicaset_id", &[S], S, Pod, "replicaset_id"),
    of("pod_id_to_deployment_name", &[S], S, Pod, "deployment_name"),
    of("pod_id_to_deployment_id", &[S], S, Pod, "deployment_id"),
    of("pod_id_to_start_time", &[S], T, Pod, "start_time"),
    of("pod_id_to_stop_time", &[S], T, Pod, "stop_time"),
    of("pod_id_to_service_name", &[S], S, Pod, "service_name"),
    of("pod_id_to_service_id", &[S], S, Pod, "service_id"),
    of("pod_id_to_owner_references", &[S], S, Pod, "owner_references"),
    of("pod_name_to_namespace", &[S], S, PodByName, "namespace"),
    of("pod_name_to_replicaset_name", &[S], S, PodByName, "replicaset_name"),
    of("pod_name_to_replicaset_id", &[S], S, PodByName, "replicaset_id"),
    of("pod_name_to_deployment_name", &[S], S, PodByName, "deployment_name"),
    of("pod_name_to_deployment_id", &[S], S, PodByName, "deployment_id"),
    of("pod_name_to_pod_id", &[S], S, PodByName, "pod_id"),
    of("pod_name_to_pod_ip", &[S], S, PodByName, "ip"),
    of("pod_name_to_service_name", &[S], S, PodByName, "service_name"),
    of("pod_name_to_service_id", &[S], S, PodByName, "service_id"),
    of("pod_name_to_start_time", &[S], T, PodByName, "start_time"),
    of("pod_name_to_stop_time", &[S], T, PodByName, "stop_time"),
    of("pod_name_to_status", &[S], S, PodByName, "status"),
    of("pod_name_to_owner_references", &[S], S, PodByName, "owner_references"),
    of("service_id_to_cluster_ip", &[S], S, Service, "cluster_ip"),
    of("service_id_to_external_ips", &[S], S, Service, "external_ips"),
    of("service_id_to_service_name", &[S], S, Service, "name"),
    of("service_name_to_service_id", &[S], S, ServiceByName, "service_id"),
    of("service_name_to_namespace", &[S], S, ServiceByName, "namespace"),
    of("replicaset_id_to_replicaset_name", &[S], S, ReplicaSet, "name"),
    of("replicaset_id_to_start_time", &[S], T, ReplicaSet, "start_time"),
    of("replicaset_id_to_stop_time", &[S], T, ReplicaSet, "stop_time"),
    of("replicaset_id_to_namespace", &[S], S, ReplicaSet, "namespace"),
    of("replicaset_id_to_owner_references", &[S], S, ReplicaSet, "owner_references"),
    of("replicaset_id_to_status", &[S], S, ReplicaSet, "status"),
    of("replicaset_id_to_deployment_name", &[S], S, ReplicaSet, "deployment_name"),
    of("replicaset_id_to_deployment_id", &[S], S, ReplicaSet, "deployment_id"),
    of("replicaset_name_to_replicaset_id", &[S], S, ReplicaSetByName, "replicaset_id"),
    of("replicaset_name_to_start_time", &[S], T, ReplicaSetByName, "start_time"),
    of("replicaset_name_to_stop_time", &[S], T, ReplicaSetByName, "stop_time"),
    of("replicaset_name_to_namespace", &[S], S, ReplicaSetByName, "namespace"),
    of("replicaset_name_to_owner_references", &[S], S, ReplicaSetByName, "owner_references"),
    of("replicaset_name_to_status", &[S], S, ReplicaSetByName, "status"),
    of("replicaset_name_to_deployment_name", &[S], S, ReplicaSetByName, "deployment_name"),
    of("replicaset_name_to_deployment_id", &[S], S, ReplicaSetByName, "deployment_id"),
    of("deployment_id_to_deployment_name", &[S], S, Deployment, "name"),
    of("deployment_id_to_start_time", &[S], T, Deployment, "start_time"),
    of("deployment_id_to_stop_time", &[S], T, Deployment, "stop_time"),
    of("deployment_id_to_namespace", &[S], S, Deployment, "namespace"),
    of("deployment_id_to_status", &[S], S, Deployment, "status"),
    of("deployment_name_to_deployment_id", &[S], S, DeploymentByName, "deployment_id"),
    of("deployment_name_to_start_time", &[S], T, DeploymentByName, "start_time"),
    of("deployment_name_to_stop_time", &[S], T, DeploymentByName, "stop_time"),
    of("deployment_name_to_namespace", &[S], S, DeploymentByName, "namespace"),
    of("deployment_name_to_status", &[S], S, DeploymentByName, "status"),
    of("node_id_to_node_name", &[S], S, Node, "name"),
    of("namespace_name_to_namespace_id", &[S], S, NamespaceByName, "namespace_id"),
    Function { name: "owned_since", arguments: &[S, T], result: T, means: Means::Since },
    chain("ip_to_pod_name", "pod_id_to_pod_name", "ip_to_pod_id"),
    chain("ip_to_service_name", "service_id_to_service_name", "ip_to_service_id"),
    chain("ip_to_node_name", "node_id_to_node_name", "ip_to_node_id"),
    Function { name: "best_name", arguments: &[U, S, T], result: S, means: Means::BestName },
    Function { name: "best_name_kind", arguments: &[U, S, T], result: S, means: Means::BestKind },
    Function { name: "shared_libraries", arguments: &[U], result: S, means: Means::Nothing },
];
