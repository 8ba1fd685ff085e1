//! Watershed itself: probes, losses, arrangements, operators, subscriptions.

use super::{Kind, Table};
use crate::columns::{Column, DataType, Pattern, Semantic};

/// What each probe is doing: attached, or why not and what is lost by it.
pub static PROBE_STATUS: Table = Table {
    name: "probe_status",
    kind: Kind::Event,
    doc: "What each probe is doing: attached, or why not and what is lost by it.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When the status was found.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The process that the probe is for, 0 for the whole node.")
            .means(Semantic::Upid),
        Column::new("source_connector", DataType::String, "The source that owns the probe."),
        Column::new("tracepoint", DataType::String, "Name of the probe."),
        Column::new("status", DataType::Int64, "0 attached, otherwise a gRPC status code.")
            .behaves(Pattern::GeneralEnum),
        Column::new("error", DataType::String, "Why it is not attached."),
        Column::new("info", DataType::String, "What is lost without it."),
    ],
};

/// Whatever was lost, counted where it was lost.
pub static SYSTEM_LOSSES: Table = Table {
    name: "system.losses",
    kind: Kind::Event,
    doc: "Whatever was lost, counted where it was lost.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When the count was read.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("node", DataType::String, "Name of the node.").means(Semantic::NodeName),
        Column::new("source", DataType::String, "The part that lost it."),
        Column::new("reason", DataType::String, "Why."),
        Column::new("count", DataType::Int64, "Events, messages or rows lost since the row before.")
            .behaves(Pattern::MetricGauge),
        Column::new("bytes", DataType::Int64, "Bytes lost since the row before.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
    ],
};

/// Arrangements that the dataflow keeps.
pub static SYSTEM_ARRANGEMENTS: Table = Table {
    name: "system.arrangements",
    kind: Kind::State,
    doc: "Arrangements that the dataflow keeps.",
    columns: &[
        Column::new("view", DataType::String, "The view or table that it belongs to."),
        Column::new("operator", DataType::String, "Label of the operator."),
        Column::new("worker", DataType::Int64, "Worker thread."),
        Column::new("records", DataType::Int64, "Updates held.").behaves(Pattern::MetricGauge),
        Column::new("bytes", DataType::Int64, "Bytes held, estimated from the records.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new("batches", DataType::Int64, "Batches that the updates lie in.").behaves(Pattern::MetricGauge),
    ],
};

/// Operators of the dataflow and the time spent in them.
pub static SYSTEM_OPERATORS: Table = Table {
    name: "system.operators",
    kind: Kind::State,
    doc: "Operators of the dataflow and the time spent in them.",
    columns: &[
        Column::new("view", DataType::String, "The view or table that it belongs to."),
        Column::new("operator", DataType::String, "Label of the operator."),
        Column::new("worker", DataType::Int64, "Worker thread."),
        Column::new("elapsed", DataType::Int64, "Time spent in the operator since it was built.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricCounter),
        Column::new("activations", DataType::Int64, "Times that it was scheduled.").behaves(Pattern::MetricCounter),
    ],
};

/// Who follows which view, and how far behind.
pub static SYSTEM_SUBSCRIPTIONS: Table = Table {
    name: "system.subscriptions",
    kind: Kind::State,
    doc: "Who follows which view, and how far behind.",
    columns: &[
        Column::new("subscription", DataType::Int64, "Number of the subscription."),
        Column::new("view", DataType::String, "The view that it follows."),
        Column::new("peer", DataType::String, "Who subscribed."),
        Column::new("since", DataType::Time64Ns, "When the subscription began.").means(Semantic::TimeNs),
        Column::new("rows", DataType::Int64, "Changes sent.").behaves(Pattern::MetricCounter),
        Column::new("restarts", DataType::Int64, "Times that it fell behind and was sent a new snapshot.")
            .behaves(Pattern::MetricCounter),
        Column::new("lag", DataType::Int64, "How far the subscriber is behind the view.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricGauge),
    ],
};

/// Alerts that stand, and the last ones that were cleared.
pub static SYSTEM_ALERTS: Table = Table {
    name: "system.alerts",
    kind: Kind::State,
    doc: "Alerts that stand, and the last ones that were cleared.",
    columns: &[
        Column::new("alert", DataType::String, "The script whose row it is."),
        Column::new("subject", DataType::String, "What the alert is about: the row's key as a JSON object.")
            .behaves(Pattern::Structured),
        Column::new("state", DataType::String, "raised or cleared.").behaves(Pattern::GeneralEnum),
        Column::new("since", DataType::Time64Ns, "When the row came.").means(Semantic::TimeNs),
        Column::new("raised", DataType::Time64Ns, "When it had stood long enough.").means(Semantic::TimeNs),
        Column::new("cleared", DataType::Time64Ns, "When it had been gone long enough; 0 while it stands.")
            .means(Semantic::TimeNs),
        Column::new("row", DataType::String, "The row as it was last, as a JSON object.").behaves(Pattern::Structured),
    ],
};

/// What scripts asked to trace, and what became of it.
pub static SYSTEM_TRACEPOINTS: Table = Table {
    name: "system.tracepoints",
    kind: Kind::State,
    doc: "What scripts asked to trace, and what became of it.",
    columns: &[
        Column::new("tracepoint_id", DataType::Uint128, "Made of the name."),
        Column::new("name", DataType::String, "As the script names it."),
        Column::new("state", DataType::String, "RUNNING or FAILED.").behaves(Pattern::GeneralEnum),
        Column::new("status", DataType::String, "Why it is in that state."),
        Column::new("output_tables", DataType::String, "JSON array of the tables that it writes.")
            .behaves(Pattern::Structured),
        Column::new("until", DataType::Time64Ns, "When it ends by itself.").means(Semantic::TimeNs),
    ],
};
