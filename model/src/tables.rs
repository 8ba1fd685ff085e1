//! Every table, declared once. `docs/` and `watershed table show` are made from these.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{Schema, SchemaRef};

use crate::columns::{Column, DataType, Pattern, Semantic, Storage};

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
        &CONN_STATS,
        &PROCESSES,
        &PROC_EXIT_EVENTS,
        &PROBE_STATUS,
        &SYSTEM_LOSSES,
        &SYSTEM_ARRANGEMENTS,
        &SYSTEM_OPERATORS,
        &SYSTEM_SUBSCRIPTIONS,
    ]
});

const fn column(
    name: &'static str,
    data_type: DataType,
    semantic: Semantic,
    pattern: Pattern,
    storage: Storage,
    doc: &'static str,
) -> Column {
    Column { name, data_type, semantic, pattern, storage, doc }
}

/// HTTP exchanges: one row a request with its response.
pub static HTTP_EVENTS: Table = Table {
    name: "http_events",
    kind: Kind::Event,
    doc: "HTTP exchanges: one row a request with its response.",
    columns: &[
        column(
            "time_",
            DataType::Time64Ns,
            Semantic::TimeNs,
            Pattern::MetricCounter,
            Storage::Plain,
            "When the response was complete.",
        ),
        column("upid", DataType::Uint128, Semantic::Upid, Pattern::General, Storage::Plain, "The traced process."),
        column(
            "remote_addr",
            DataType::String,
            Semantic::IpAddress,
            Pattern::General,
            Storage::Address,
            "Address of the other end, `-` when it is not known.",
        ),
        column(
            "remote_port",
            DataType::Int64,
            Semantic::Port,
            Pattern::General,
            Storage::Plain,
            "Port of the other end.",
        ),
        column(
            "local_addr",
            DataType::String,
            Semantic::IpAddress,
            Pattern::General,
            Storage::Address,
            "Address of this end, `-` when it is not known.",
        ),
        column("local_port", DataType::Int64, Semantic::Port, Pattern::General, Storage::Plain, "Port of this end."),
        column(
            "trace_role",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "1 the traced process is the client, 2 the server, 4 not known.",
        ),
        column(
            "encrypted",
            DataType::Boolean,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "The content was seen through a TLS library.",
        ),
        column(
            "major_version",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "Major version of HTTP.",
        ),
        column(
            "minor_version",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "Minor version of HTTP.",
        ),
        column(
            "content_type",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "0 not known, 1 JSON, 2 gRPC.",
        ),
        column(
            "req_headers",
            DataType::String,
            Semantic::None,
            Pattern::Structured,
            Storage::HttpHeaders,
            "Request headers as a JSON object.",
        ),
        column(
            "req_method",
            DataType::String,
            Semantic::HttpReqMethod,
            Pattern::GeneralEnum,
            Storage::Bytes,
            "Request method.",
        ),
        column(
            "req_path",
            DataType::String,
            Semantic::None,
            Pattern::Structured,
            Storage::Bytes,
            "Request target as sent, with its query.",
        ),
        column(
            "req_body",
            DataType::String,
            Semantic::None,
            Pattern::Structured,
            Storage::Bytes,
            "Request body, decoded, up to the capture limit.",
        ),
        column(
            "req_body_size",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes of the request body on the wire, without chunk framing.",
        ),
        column(
            "resp_headers",
            DataType::String,
            Semantic::None,
            Pattern::Structured,
            Storage::HttpHeaders,
            "Response headers as a JSON object.",
        ),
        column(
            "resp_status",
            DataType::Int64,
            Semantic::HttpRespStatus,
            Pattern::GeneralEnum,
            Storage::Plain,
            "Response status.",
        ),
        column(
            "resp_message",
            DataType::String,
            Semantic::HttpRespMessage,
            Pattern::Structured,
            Storage::Bytes,
            "Reason phrase.",
        ),
        column(
            "resp_body",
            DataType::String,
            Semantic::None,
            Pattern::Structured,
            Storage::Bytes,
            "Response body, decoded, up to the capture limit.",
        ),
        column(
            "resp_body_size",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes of the response body on the wire, without chunk framing.",
        ),
        column(
            "latency",
            DataType::Int64,
            Semantic::DurationNs,
            Pattern::MetricGauge,
            Storage::Plain,
            "From the last of the request to the last of the response.",
        ),
        column("px_info_", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Notes of the tracer."),
        column(
            "remote_upid",
            DataType::Uint128,
            Semantic::Upid,
            Pattern::General,
            Storage::Plain,
            "The process at the other end when it is traced on this node too, else 0.",
        ),
        column(
            "req_bytes",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes of the whole request on the wire.",
        ),
        column(
            "resp_bytes",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes of the whole response on the wire.",
        ),
        column(
            "partial",
            DataType::Boolean,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "A gap in the capture touched this exchange; sizes may be too small.",
        ),
    ],
};

/// Connections and bytes by process and peer, counted in the kernel; a row whenever they changed.
pub static CONN_STATS: Table = Table {
    name: "conn_stats",
    kind: Kind::Event,
    doc: "Connections and bytes by process and peer, counted in the kernel; a row whenever they changed.",
    columns: &[
        column(
            "time_",
            DataType::Time64Ns,
            Semantic::TimeNs,
            Pattern::MetricCounter,
            Storage::Plain,
            "When the counters were read.",
        ),
        column("upid", DataType::Uint128, Semantic::Upid, Pattern::General, Storage::Plain, "The traced process."),
        column(
            "remote_addr",
            DataType::String,
            Semantic::IpAddress,
            Pattern::General,
            Storage::Address,
            "Address of the other end, `-` when it is not known.",
        ),
        column(
            "remote_port",
            DataType::Int64,
            Semantic::Port,
            Pattern::General,
            Storage::Plain,
            "Port of the other end; 0 where this end is the server.",
        ),
        column(
            "trace_role",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "1 the traced process is the client, 2 the server, 4 not known.",
        ),
        column(
            "addr_family",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "Address family, AF_INET 2 or AF_INET6 10.",
        ),
        column(
            "protocol",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "0 not known, 1 HTTP, 2 HTTP/2, 3 MySQL, 4 CQL, 5 PostgreSQL, 6 DNS, 7 Redis, 8 NATS, 9 MongoDB, 10 Kafka, 11 Mux, 12 AMQP, 13 TLS.",
        ),
        column(
            "ssl",
            DataType::Boolean,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "The connection is encrypted.",
        ),
        column(
            "conn_open",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricCounter,
            Storage::Plain,
            "Connections opened since tracing began.",
        ),
        column(
            "conn_close",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricCounter,
            Storage::Plain,
            "Connections closed since tracing began.",
        ),
        column(
            "conn_active",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricGauge,
            Storage::Plain,
            "Connections open when the counters were read.",
        ),
        column(
            "bytes_sent",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricCounter,
            Storage::Plain,
            "Bytes sent since tracing began.",
        ),
        column(
            "bytes_recv",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricCounter,
            Storage::Plain,
            "Bytes received since tracing began.",
        ),
        column("px_info_", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Notes of the tracer."),
        column(
            "remote_upid",
            DataType::Uint128,
            Semantic::Upid,
            Pattern::General,
            Storage::Plain,
            "The process at the other end when it is traced on this node too, else 0.",
        ),
        column(
            "opened",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricGauge,
            Storage::Plain,
            "Connections opened since the row before.",
        ),
        column(
            "closed",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricGauge,
            Storage::Plain,
            "Connections closed since the row before.",
        ),
        column(
            "sent",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes sent since the row before.",
        ),
        column(
            "received",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes received since the row before.",
        ),
        column(
            "unseen",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes of `sent` and `received` whose content could not be seen (sendfile, splice, io_uring).",
        ),
    ],
};

/// Processes that were seen; a row is corrected when more is known and leaves some time after the process.
pub static PROCESSES: Table = Table {
    name: "processes",
    kind: Kind::State,
    doc: "Processes that were seen; a row is corrected when more is known and leaves some time after the process.",
    columns: &[
        column("upid", DataType::Uint128, Semantic::Upid, Pattern::General, Storage::Plain, "The process."),
        column(
            "pid",
            DataType::Int64,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Process id in the host's namespace.",
        ),
        column(
            "parent_upid",
            DataType::Uint128,
            Semantic::Upid,
            Pattern::General,
            Storage::Plain,
            "The process that started it, 0 when not known.",
        ),
        column(
            "name",
            DataType::String,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Name of the process (comm).",
        ),
        column(
            "cmdline",
            DataType::String,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Command line, arguments separated by blanks.",
        ),
        column("exe", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Path of the program."),
        column("cgroup", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Path of its cgroup."),
        column(
            "container",
            DataType::String,
            Semantic::ContainerName,
            Pattern::General,
            Storage::Plain,
            "Container id found in the cgroup path, empty outside of containers.",
        ),
        column("host", DataType::String, Semantic::NodeName, Pattern::General, Storage::Plain, "Name of the node."),
        column(
            "start_time",
            DataType::Time64Ns,
            Semantic::TimeNs,
            Pattern::General,
            Storage::Plain,
            "When it started.",
        ),
        column(
            "exit_time",
            DataType::Time64Ns,
            Semantic::TimeNs,
            Pattern::General,
            Storage::Plain,
            "When it ended; 0 while it runs.",
        ),
        column(
            "exit_code",
            DataType::Int64,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Exit code, 0 while it runs.",
        ),
    ],
};

/// Processes that ended with a failure or by a signal.
pub static PROC_EXIT_EVENTS: Table = Table {
    name: "proc_exit_events",
    kind: Kind::Event,
    doc: "Processes that ended with a failure or by a signal.",
    columns: &[
        column("time_", DataType::Time64Ns, Semantic::TimeNs, Pattern::MetricCounter, Storage::Plain, "When it ended."),
        column("upid", DataType::Uint128, Semantic::Upid, Pattern::General, Storage::Plain, "The process."),
        column(
            "exit_code",
            DataType::Int64,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Exit code, -1 when a signal ended it.",
        ),
        column(
            "signal",
            DataType::Int64,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "The signal that ended it, 0 for none.",
        ),
        column("comm", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Name of the process."),
    ],
};

/// What each probe is doing: attached, or why not and what is lost by it.
pub static PROBE_STATUS: Table = Table {
    name: "probe_status",
    kind: Kind::Event,
    doc: "What each probe is doing: attached, or why not and what is lost by it.",
    columns: &[
        column(
            "time_",
            DataType::Time64Ns,
            Semantic::TimeNs,
            Pattern::MetricCounter,
            Storage::Plain,
            "When the status was found.",
        ),
        column(
            "upid",
            DataType::Uint128,
            Semantic::Upid,
            Pattern::General,
            Storage::Plain,
            "The process that the probe is for, 0 for the whole node.",
        ),
        column(
            "source_connector",
            DataType::String,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "The source that owns the probe.",
        ),
        column("tracepoint", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Name of the probe."),
        column(
            "status",
            DataType::Int64,
            Semantic::None,
            Pattern::GeneralEnum,
            Storage::Plain,
            "0 attached, otherwise a gRPC status code.",
        ),
        column("error", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Why it is not attached."),
        column("info", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "What is lost without it."),
    ],
};

/// Whatever was lost, counted where it was lost.
pub static SYSTEM_LOSSES: Table = Table {
    name: "system.losses",
    kind: Kind::Event,
    doc: "Whatever was lost, counted where it was lost.",
    columns: &[
        column(
            "time_",
            DataType::Time64Ns,
            Semantic::TimeNs,
            Pattern::MetricCounter,
            Storage::Plain,
            "When the count was read.",
        ),
        column("node", DataType::String, Semantic::NodeName, Pattern::General, Storage::Plain, "Name of the node."),
        column("source", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "The part that lost it."),
        column("reason", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Why."),
        column(
            "count",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricGauge,
            Storage::Plain,
            "Events, messages or rows lost since the row before.",
        ),
        column(
            "bytes",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes lost since the row before.",
        ),
    ],
};

/// Arrangements that the dataflow keeps.
pub static SYSTEM_ARRANGEMENTS: Table = Table {
    name: "system.arrangements",
    kind: Kind::State,
    doc: "Arrangements that the dataflow keeps.",
    columns: &[
        column(
            "view",
            DataType::String,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "The view or table that it belongs to.",
        ),
        column(
            "operator",
            DataType::String,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Label of the operator.",
        ),
        column("worker", DataType::Int64, Semantic::None, Pattern::General, Storage::Plain, "Worker thread."),
        column("records", DataType::Int64, Semantic::None, Pattern::MetricGauge, Storage::Plain, "Updates held."),
        column(
            "bytes",
            DataType::Int64,
            Semantic::Bytes,
            Pattern::MetricGauge,
            Storage::Plain,
            "Bytes held, estimated from the records.",
        ),
        column(
            "batches",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricGauge,
            Storage::Plain,
            "Batches that the updates lie in.",
        ),
    ],
};

/// Operators of the dataflow and the time spent in them.
pub static SYSTEM_OPERATORS: Table = Table {
    name: "system.operators",
    kind: Kind::State,
    doc: "Operators of the dataflow and the time spent in them.",
    columns: &[
        column(
            "view",
            DataType::String,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "The view or table that it belongs to.",
        ),
        column(
            "operator",
            DataType::String,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Label of the operator.",
        ),
        column("worker", DataType::Int64, Semantic::None, Pattern::General, Storage::Plain, "Worker thread."),
        column(
            "elapsed",
            DataType::Int64,
            Semantic::DurationNs,
            Pattern::MetricCounter,
            Storage::Plain,
            "Time spent in the operator since it was built.",
        ),
        column(
            "activations",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricCounter,
            Storage::Plain,
            "Times that it was scheduled.",
        ),
    ],
};

/// Who follows which view, and how far behind.
pub static SYSTEM_SUBSCRIPTIONS: Table = Table {
    name: "system.subscriptions",
    kind: Kind::State,
    doc: "Who follows which view, and how far behind.",
    columns: &[
        column(
            "subscription",
            DataType::Int64,
            Semantic::None,
            Pattern::General,
            Storage::Plain,
            "Number of the subscription.",
        ),
        column("view", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "The view that it follows."),
        column("peer", DataType::String, Semantic::None, Pattern::General, Storage::Plain, "Who subscribed."),
        column(
            "since",
            DataType::Time64Ns,
            Semantic::TimeNs,
            Pattern::General,
            Storage::Plain,
            "When the subscription began.",
        ),
        column("rows", DataType::Int64, Semantic::None, Pattern::MetricCounter, Storage::Plain, "Changes sent."),
        column(
            "restarts",
            DataType::Int64,
            Semantic::None,
            Pattern::MetricCounter,
            Storage::Plain,
            "Times that it fell behind and was sent a new snapshot.",
        ),
        column(
            "lag",
            DataType::Int64,
            Semantic::DurationNs,
            Pattern::MetricGauge,
            Storage::Plain,
            "How far the subscriber is behind the view.",
        ),
    ],
};

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
