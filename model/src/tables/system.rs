//! Watershed itself: probes, losses, arrangements, operators, subscriptions, sinks.

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

/// How what is known of the cluster is kept up, by kind of object.
pub static SYSTEM_WATCHES: Table = Table {
    name: "system.watches",
    kind: Kind::State,
    doc: "How what is known of the cluster is kept up, by kind of object. Empty without a cluster.",
    columns: &[
        Column::new("kind", DataType::String, "Kind of object, such as Pod."),
        Column::new(
            "state",
            DataType::String,
            "watching; listing: all is being read; refused: no right to the kind; away: the server does not answer.",
        )
        .behaves(Pattern::GeneralEnum),
        Column::new("since", DataType::Time64Ns, "Since when it is in this state.").means(Semantic::TimeNs),
        Column::new("objects", DataType::Int64, "Objects that exist, as far as known.").behaves(Pattern::MetricGauge),
        Column::new("dropped", DataType::Int64, "Objects that could not be read, or were too many to keep.")
            .behaves(Pattern::MetricCounter),
        Column::new("error", DataType::String, "Why it is refused or away."),
    ],
};

/// Sinks, and how far behind they are.
pub static SYSTEM_SINKS: Table = Table {
    name: "system.sinks",
    kind: Kind::State,
    doc: "Sinks, and how far behind they are.",
    columns: &[
        Column::new("sink", DataType::String, "Its name."),
        Column::new("kind", DataType::String, "The section of its manifest: kafka, webhook, file and so on."),
        Column::new("view", DataType::String, "What it follows."),
        Column::new("phase", DataType::String, "opening, running, retrying, failed or stopped."),
        Column::new("lag", DataType::Int64, "How far the endpoint is behind the view.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricGauge),
        Column::new("written", DataType::Int64, "Records that the endpoint took.").behaves(Pattern::MetricCounter),
        Column::new("retried", DataType::Int64, "Attempts that failed and were made again.")
            .behaves(Pattern::MetricCounter),
        Column::new("dropped", DataType::Int64, "Changes that the endpoint was never given.")
            .behaves(Pattern::MetricCounter),
        Column::new("restarts", DataType::Int64, "Times that it began again with a snapshot.")
            .behaves(Pattern::MetricCounter),
        Column::new("waiting", DataType::Int64, "Bytes that wait for the endpoint.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new("reason", DataType::String, "What went wrong last, or why changes were dropped."),
    ],
};

/// Flags that detectors have standing.
pub static SYSTEM_FLAGS: Table = Table {
    name: "system.flags",
    kind: Kind::State,
    doc: "Flags that detectors have standing; the view `anomalies` shows them.",
    columns: &[
        Column::new("detector", DataType::String, "Name of the detector."),
        Column::new("subject", DataType::String, "Who is flagged: the values of the manifest's `subject`."),
        Column::new("since", DataType::Time64Ns, "Since when the score was above the threshold.")
            .means(Semantic::TimeNs),
        Column::new("score", DataType::Float64, "The score that raised the flag."),
        Column::new("threshold", DataType::Float64, "The level that it is above."),
        Column::new("reason", DataType::String, "Why, in one sentence."),
        Column::new("evidence", DataType::String, "JSON object: subject, features, baseline, rows.")
            .behaves(Pattern::Structured),
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
