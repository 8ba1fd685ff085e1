//! Every table, declared once. `docs/` and `watershed table show` are made from these.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{Schema, SchemaRef};

use crate::columns::Column;

mod identity;
mod processes;
mod protocols;
mod resources;
mod system;
mod traffic;

pub use identity::{
    K8S_ADDRESSES, K8S_CONTAINERS, K8S_DEPLOYMENTS, K8S_NAMESPACES, K8S_NODES, K8S_PODS, K8S_REPLICASETS, K8S_SERVICES,
    POD_EVENTS,
};
pub use processes::{PROC_EXIT_EVENTS, PROCESSES};
pub use protocols::{
    AMQP_EVENTS, CQL_EVENTS, DNS_EVENTS, KAFKA_EVENTS, MONGODB_EVENTS, MUX_EVENTS, MYSQL_EVENTS, NATS_EVENTS,
    PGSQL_EVENTS, REDIS_EVENTS, TLS_EVENTS, WEBSOCKET_EVENTS,
};
pub use resources::{JVM_STATS, NETWORK_STATS, PROCESS_STATS, STACK_TRACES, STIRLING_ERROR, TCP_STATS_EVENTS};
pub use system::{
    PROBE_STATUS, SYSTEM_ALERTS, SYSTEM_ARRANGEMENTS, SYSTEM_FLAGS, SYSTEM_LOSSES, SYSTEM_OPERATORS, SYSTEM_SINKS,
    SYSTEM_SUBSCRIPTIONS, SYSTEM_TRACEPOINTS, SYSTEM_WATCHES,
};
pub use traffic::{CONN_STATS, HTTP_EVENTS};

/// Whether a table only grows or is kept as a set of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Append-only, ordered by `time_`; the oldest rows go when the budget is used up.
    Event,
    /// A set of rows that are corrected and retracted; kept whole.
    State,
}

/// A table's name, kind and columns.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The name that scripts use; `system.x` is table `x` in schema `system`.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// One sentence for `table list`.
    pub doc: &'static str,
    /// Columns in order.
    pub columns: &'static [Column],
}

impl Table {
    /// The schema that plans see.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::field).collect::<Vec<_>>()))
    }

    /// The schema in which rows are stored and handed over.
    #[must_use]
    pub fn storage_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.columns.iter().map(Column::storage_field).collect::<Vec<_>>()))
    }

    /// Position of a column by name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// The table of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Table> {
    ALL.iter().copied().find(|table| table.name == name)
}

/// All tables, in the order in which they are listed.
pub static ALL: LazyLock<Vec<&'static Table>> = LazyLock::new(|| {
    vec![
        &HTTP_EVENTS,
        &MYSQL_EVENTS,
        &PGSQL_EVENTS,
        &CQL_EVENTS,
        &REDIS_EVENTS,
        &DNS_EVENTS,
        &KAFKA_EVENTS,
        &MONGODB_EVENTS,
        &AMQP_EVENTS,
        &NATS_EVENTS,
        &MUX_EVENTS,
        &TLS_EVENTS,
        &WEBSOCKET_EVENTS,
        &CONN_STATS,
        &TCP_STATS_EVENTS,
        &PROCESSES,
        &PROC_EXIT_EVENTS,
        &PROCESS_STATS,
        &NETWORK_STATS,
        &JVM_STATS,
        &STACK_TRACES,
        &STIRLING_ERROR,
        &PROBE_STATUS,
        &K8S_PODS,
        &K8S_CONTAINERS,
        &K8S_SERVICES,
        &K8S_REPLICASETS,
        &K8S_DEPLOYMENTS,
        &K8S_NAMESPACES,
        &K8S_NODES,
        &K8S_ADDRESSES,
        &POD_EVENTS,
        &SYSTEM_LOSSES,
        &SYSTEM_ARRANGEMENTS,
        &SYSTEM_OPERATORS,
        &SYSTEM_SUBSCRIPTIONS,
        &SYSTEM_WATCHES,
        &SYSTEM_SINKS,
        &SYSTEM_FLAGS,
        &SYSTEM_ALERTS,
        &SYSTEM_TRACEPOINTS,
    ]
});

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_event_tables_begin_with_time() {
        let names: HashSet<_> = ALL.iter().map(|table| table.name).collect();
        assert_eq!(names.len(), ALL.len());
        for table in ALL.iter() {
            let columns: HashSet<_> = table.columns.iter().map(|column| column.name).collect();
            assert_eq!(columns.len(), table.columns.len(), "{} repeats a column", table.name);
            if table.kind == Kind::Event {
                assert_eq!(table.columns[0].name, "time_", "{}", table.name);
            }
        }
    }
}
