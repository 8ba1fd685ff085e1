//! The few fields of the cluster's objects that identity needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// Kinds of objects that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)] // The names are Kubernetes' own.
pub enum Kind {
    Pod,
    Service,
    EndpointSlice,
    Node,
    Namespace,
    ReplicaSet,
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 11] = [
        Kind::Pod,
        Kind::Service,
        Kind::EndpointSlice,
        Kind::Node,
        Kind::Namespace,
        Kind::ReplicaSet,
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::Job,
        Kind::CronJob,
    ];

    /// As Kubernetes writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pod => "Pod",
            Kind::Service => "Service",
            Kind::EndpointSlice => "EndpointSlice",
            Kind::Node => "Node",
            Kind::Namespace => "Namespace",
            Kind::ReplicaSet => "ReplicaSet",
            Kind::Deployment => "Deployment",
            Kind::StatefulSet => "StatefulSet",
            Kind::DaemonSet => "DaemonSet",
            Kind::Job => "Job",
            Kind::CronJob => "CronJob",
        }
    }
}

/// Who created an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// uid of the owner.
    pub uid: Arc<str>,
    /// Kind as Kubernetes writes it.
    pub kind: String,
    /// Name, in the same namespace.
    pub name: String,
}

/// One object as of one resource version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// uid; never used again after deletion.
    pub uid: Arc<str>,
    /// Namespace, empty for cluster-wide kinds.
    pub namespace: String,
    /// Name without the namespace.
    pub name: String,
    /// `resourceVersion`; grows with every change.
    pub version: u64,
    /// Creation, nanoseconds since the epoch.
    pub created_ns: i64,
    /// Owners, the controlling one first.
    pub owners: Vec<Owner>,
    /// What is particular to the kind.
    pub body: Body,
}

/// What is particular to a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// A pod.
    Pod(Box<Pod>),
    /// A service.
    Service(Service),
    /// Backends of a service.
    EndpointSlice {
        /// Name of the service, in the slice's namespace.
        service: String,
        /// uids of the pods.
        pods: Vec<Arc<str>>,
    },
    /// A node.
    Node {
        /// Internal addresses.
        ips: Vec<String>,
        /// Ranges of its pods.
        pod_cidrs: Vec<String>,
    },
    /// A namespace.
    Namespace,
    /// A replica set, with its status as JSON.
    ReplicaSet(String),
    /// A deployment, with its status as JSON.
    Deployment(String),
    /// A kind that only stands in owner chains.
    Owner(Kind),
}

/// What is particular to a pod.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pod {
    /// Node, empty before it is scheduled.
    pub node: String,
    /// Addresses, the primary first.
    pub ips: Vec<String>,
    /// It uses its node's addresses.
    pub host_network: bool,
    /// Phase as Kubernetes writes it.
    pub phase: String,
    /// Reason of the phase.
    pub reason: String,
    /// Message of the phase.
    pub message: String,
    /// Labels.
    pub labels: Labels,
    /// Quality of service class.
    pub qos: String,
    /// The `Ready` condition holds.
    pub ready: bool,
    /// When its node took it up, 0 before; it gets its addresses after that.
    pub started_ns: i64,
    /// The last moment at which the phase may have become Succeeded or Failed, else 0.
    pub ended_ns: i64,
    /// Its containers.
    pub containers: Vec<Container>,
}

/// Names with values, ascending; a map of a few would take the room of eleven.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(other, value)| (other == name).then_some(value))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl From<BTreeMap<String, String>> for Labels {
    fn from(labels: BTreeMap<String, String>) -> Self {
        Labels(labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Container {
    /// Runtime's id without scheme, empty before it is created.
    pub id: String,
    /// Name in the pod.
    pub name: String,
    /// Running, Waiting, Terminated or Unknown.
    pub state: String,
    /// Reason of the state.
    pub reason: String,
    /// Message of the state.
    pub message: String,
    /// Start, 0 if it did not.
    pub started_ns: i64,
    /// End, 0 if it did not.
    pub finished_ns: i64,
    /// How often it was restarted.
    pub restarts: i64,
    /// Reason for which its last run ended, such as `OOMKilled`.
    pub last_reason: String,
    /// Id of its last run, empty if there was none.
    pub last_id: String,
    /// Start of its last run, 0 if not known.
    pub last_started_ns: i64,
    /// End of its last run, 0 if not known.
    pub last_finished_ns: i64,
}

/// What is particular to a service.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Service {
    /// Labels of its pods; without any it selects none.
    pub selector: BTreeMap<String, String>,
    /// Addresses in the cluster; none when headless.
    pub cluster_ips: Vec<String>,
    /// Addresses outside of the cluster.
    pub external_ips: Vec<String>,
}

impl Object {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.body {
            Body::Pod(_) => Kind::Pod,
            Body::Service(_) => Kind::Service,
            Body::EndpointSlice { .. } => Kind::EndpointSlice,
            Body::Node { .. } => Kind::Node,
            Body::Namespace => Kind::Namespace,
            Body::ReplicaSet(_) => Kind::ReplicaSet,
            Body::Deployment(_) => Kind::Deployment,
            Body::Owner(kind) => *kind,
        }
    }

    /// `namespace/name`, or the name alone for cluster-wide kinds.
    #[must_use]
    pub fn full_name(&self) -> String {
        if self.namespace.is_empty() { self.name.clone() } else { format!("{}/{}", self.namespace, self.name) }
    }
}
