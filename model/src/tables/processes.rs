//! Processes and their ends.

use super::{Kind, Table};
use crate::columns::{Column, DataType, Pattern, Semantic};

/// Processes that were seen; a row is corrected when more is known and leaves some time after the process.
pub static PROCESSES: Table = Table {
    name: "processes",
    kind: Kind::State,
    doc: "Processes that were seen; a row is corrected when more is known and leaves some time after the process.",
    columns: &[
        Column::new("upid", DataType::Uint128, "The process.").means(Semantic::Upid),
        Column::new("pid", DataType::Int64, "Process id in the host's namespace."),
        Column::new("parent_upid", DataType::Uint128, "The process that started it, 0 when not known.")
            .means(Semantic::Upid),
        Column::new("name", DataType::String, "Name of the process (comm)."),
        Column::new("cmdline", DataType::String, "Command line, arguments separated by blanks."),
        Column::new("exe", DataType::String, "Path of the program."),
        Column::new("cgroup", DataType::String, "Path of its cgroup."),
        Column::new(
            "container",
            DataType::String,
            "Container id found in the cgroup path, empty outside of containers.",
        )
        .means(Semantic::ContainerName),
        Column::new("host", DataType::String, "Name of the node.").means(Semantic::NodeName),
        Column::new("start_time", DataType::Time64Ns, "When it started.").means(Semantic::TimeNs),
        Column::new("exit_time", DataType::Time64Ns, "When it ended; 0 while it runs.").means(Semantic::TimeNs),
        Column::new("exit_code", DataType::Int64, "Exit code, 0 while it runs."),
        Column::new(
            "pod_id",
            DataType::String,
            "uid of its pod found in the cgroup path, empty where it is not there.",
        ),
        Column::new(
            "container_name",
            DataType::String,
            "Name of its container as Docker or Podman know it, else its systemd service; empty in pods.",
        ),
    ],
};

/// Processes that ended with a failure or by a signal.
pub static PROC_EXIT_EVENTS: Table = Table {
    name: "proc_exit_events",
    kind: Kind::Event,
    doc: "Processes that ended with a failure or by a signal.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it ended.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The process.").means(Semantic::Upid),
        Column::new("exit_code", DataType::Int64, "Exit code, -1 when a signal ended it."),
        Column::new("signal", DataType::Int64, "The signal that ended it, 0 for none."),
        Column::new("comm", DataType::String, "Name of the process."),
    ],
};
