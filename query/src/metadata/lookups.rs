//! What can be looked up: relations with one row a key, in SQL over the state tables.

use std::collections::HashMap;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;

/// A relation with a column `key` whose values are unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Lookup {
    /// A process by upid.
    Process,
    /// The pod of a process by upid, with the name of its container.
    UpidToPod,
    Container,
    ContainerByName,
    Pod,
    PodByName,
    /// The pod that an address belongs to.
    AddressOfPod,
    /// The service that an address belongs to.
    AddressOfService,
    /// The node that an address belongs to.
    AddressOfNode,
    /// The changes of an address's owners.
    AddressSpans,
    Node,
    Service,
    ServiceByName,
    ReplicaSet,
    ReplicaSetByName,
    Deployment,
    DeploymentByName,
    NamespaceByName,
}

/// Columns of a table by name, of those that bear a name the youngest.
macro_rules! by_name {
    ($table:literal, $($column:literal),*) => {
        concat!("SELECT name AS key", $(", last(", $column, ", start_time) AS ", $column,)* " FROM ", $table,
            " WHERE name <> '' GROUP BY name")
    };
}

/// The youngest owner of each address, and all of them as `owner_at` reads them.
macro_rules! owners_of_addresses {
    ($kind:literal) => {
        concat!(
            "SELECT addr AS key, last(id, valid_from) AS id, lines(CAST(CAST(valid_from AS BIGINT) AS VARCHAR) || ' ' \
             || CAST(CAST(valid_to AS BIGINT) AS VARCHAR) || ' ' || id) AS owners FROM k8s.addresses WHERE kind = '",
            $kind,
            "' AND addr <> '-' GROUP BY addr"
        )
    };
}

impl Lookup {
    /// What its rows are, and how they are found.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Lookup::Process => "process",
            Lookup::UpidToPod => "process's pod",
            Lookup::Container => "container by its id",
            Lookup::ContainerByName => "container by its name",
            Lookup::Pod => "pod by its id",
            Lookup::PodByName => "pod by its name, namespace/name",
            Lookup::AddressOfPod => "pod",
            Lookup::AddressOfService => "service",
            Lookup::AddressOfNode => "node",
            Lookup::AddressSpans => "owner of an address",
            Lookup::Node => "node by its id",
            Lookup::Service => "service by its id",
            Lookup::ServiceByName => "service by its name, namespace/name",
            Lookup::ReplicaSet => "replica set by its id",
            Lookup::ReplicaSetByName => "replica set by its name, namespace/name",
            Lookup::Deployment => "deployment by its id",
            Lookup::DeploymentByName => "deployment by its name, namespace/name",
            Lookup::NamespaceByName => "namespace by its name",
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Lookup::Process => "SELECT upid AS key, name, cmdline, host, container, container_name FROM processes",
            // A container may be listed late, or not any more when it was started again; the pod's uid is in the path.
            Lookup::UpidToPod => {
                "SELECT p.upid AS key, p.container_name, o.* FROM ( \
                 SELECT p.upid, coalesce(c.name, '') AS container_name, coalesce(c.pod_id, p.pod_id) AS pod_id \
                 FROM (SELECT upid, container, pod_id FROM processes WHERE container <> '' OR pod_id <> '') AS p \
                 LEFT JOIN k8s.containers AS c ON p.container = c.container_id) AS p \
                 JOIN k8s.pods AS o ON p.pod_id = o.pod_id"
            }
            Lookup::Container => "SELECT container_id AS key, status, start_time, stop_time FROM k8s.containers",
            Lookup::ContainerByName => by_name!("k8s.containers", "container_id", "stop_time", "start_time"),
            Lookup::Pod => "SELECT pod_id AS key, * FROM k8s.pods",
            Lookup::PodByName => by_name!(
                "k8s.pods",
                "pod_id",
                "namespace",
                "ip",
                "status",
                "owner_references",
                "replicaset_id",
                "replicaset_name",
                "deployment_id",
                "deployment_name",
                "service_id",
                "service_name",
                "stop_time",
                "start_time"
            ),
            Lookup::AddressOfPod => owners_of_addresses!("pod"),
            Lookup::AddressOfService => owners_of_addresses!("service"),
            Lookup::AddressOfNode => owners_of_addresses!("node"),
            Lookup::AddressSpans => {
                "SELECT addr AS key, lines(CAST(CAST(valid_from AS BIGINT) AS VARCHAR) || ' ' \
                 || CAST(CAST(valid_to AS BIGINT) AS VARCHAR)) AS spans FROM k8s.addresses WHERE addr <> '-' GROUP BY addr"
            }
            Lookup::Node => "SELECT node_id AS key, * FROM k8s.nodes",
            Lookup::Service => "SELECT service_id AS key, * FROM k8s.services",
            Lookup::ServiceByName => by_name!("k8s.services", "service_id", "namespace"),
            Lookup::ReplicaSet => "SELECT replicaset_id AS key, * FROM k8s.replicasets",
            Lookup::ReplicaSetByName => by_name!(
                "k8s.replicasets",
                "replicaset_id",
                "namespace",
                "owner_references",
                "status",
                "deployment_id",
                "deployment_name",
                "stop_time",
                "start_time"
            ),
            Lookup::Deployment => "SELECT deployment_id AS key, * FROM k8s.deployments",
            Lookup::DeploymentByName => {
                by_name!("k8s.deployments", "deployment_id", "namespace", "status", "stop_time", "start_time")
            }
            Lookup::NamespaceByName => by_name!("k8s.namespaces", "namespace_id"),
        }
    }

    const ALL: [Lookup; 18] = [
        Lookup::Process,
        Lookup::UpidToPod,
        Lookup::Container,
        Lookup::ContainerByName,
        Lookup::Pod,
        Lookup::PodByName,
        Lookup::AddressOfPod,
        Lookup::AddressOfService,
        Lookup::AddressOfNode,
        Lookup::AddressSpans,
        Lookup::Node,
        Lookup::Service,
        Lookup::ServiceByName,
        Lookup::ReplicaSet,
        Lookup::ReplicaSetByName,
        Lookup::Deployment,
        Lookup::DeploymentByName,
        Lookup::NamespaceByName,
    ];
}

/// The plans of all look-ups.
pub(crate) struct Facts(HashMap<Lookup, LogicalPlan>);

impl Facts {
    /// Plans them over the tables of a context.
    pub(crate) fn new(context: &SessionContext) -> Self {
        let state = context.state();
        let planned = |lookup: Lookup| {
            // Tables are in memory, so planning never waits.
            let plan = futures::executor::block_on(state.create_logical_plan(lookup.sql()));
            (lookup, plan.expect("a test plans every look-up over the tables of the model"))
        };
        Facts(Lookup::ALL.into_iter().map(planned).collect())
    }

    pub(super) fn plan(&self, lookup: Lookup) -> LogicalPlan {
        self.0[&lookup].clone()
    }
}
