//! What processes, pods and connections use: CPU, memory, network, heaps, stacks.

use super::{Kind, Table};
use crate::columns::{Column, DataType, Pattern, Semantic, Storage};

/// Bytes and retransmissions of TCP connections.
pub static TCP_STATS_EVENTS: Table = Table {
    name: "tcp_stats_events",
    kind: Kind::Event,
    doc: "Bytes and retransmissions of TCP connections.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it was read.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The process.").means(Semantic::Upid),
        Column::new("local_addr", DataType::String, "Address of this end.")
            .means(Semantic::IpAddress)
            .stored(Storage::Address),
        Column::new("local_port", DataType::Int64, "Port of this end.").means(Semantic::Port),
        Column::new("remote_addr", DataType::String, "Address of the other end.")
            .means(Semantic::IpAddress)
            .stored(Storage::Address),
        Column::new("remote_port", DataType::Int64, "Port of the other end.").means(Semantic::Port),
        Column::new("tx", DataType::Int64, "Bytes sent.").means(Semantic::Bytes).behaves(Pattern::MetricCounter),
        Column::new("rx", DataType::Int64, "Bytes received.").means(Semantic::Bytes).behaves(Pattern::MetricCounter),
        Column::new("retransmits", DataType::Int64, "Segments sent again.").behaves(Pattern::MetricCounter),
    ],
};

/// CPU, memory and I/O of processes.
pub static PROCESS_STATS: Table = Table {
    name: "process_stats",
    kind: Kind::Event,
    doc: "CPU, memory and I/O of processes.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it was read.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The process.").means(Semantic::Upid),
        Column::new("major_faults", DataType::Int64, "Page faults that read from disk.")
            .behaves(Pattern::MetricCounter),
        Column::new("minor_faults", DataType::Int64, "Page faults that did not.").behaves(Pattern::MetricCounter),
        Column::new("cpu_utime_ns", DataType::Int64, "CPU time in user mode.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricCounter),
        Column::new("cpu_ktime_ns", DataType::Int64, "CPU time in the kernel.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricCounter),
        Column::new("num_threads", DataType::Int64, "Threads.").behaves(Pattern::MetricGauge),
        Column::new("vsize_bytes", DataType::Int64, "Virtual memory.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new("rss_bytes", DataType::Int64, "Resident memory.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new("rchar_bytes", DataType::Int64, "Bytes read by system calls.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricCounter),
        Column::new("wchar_bytes", DataType::Int64, "Bytes written by system calls.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricCounter),
        Column::new("read_bytes", DataType::Int64, "Bytes read from storage.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricCounter),
        Column::new("write_bytes", DataType::Int64, "Bytes written to storage.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricCounter),
    ],
};

/// Traffic of the interfaces of a pod.
pub static NETWORK_STATS: Table = Table {
    name: "network_stats",
    kind: Kind::Event,
    doc: "Traffic of the interfaces of a pod.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it was read.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("pod_id", DataType::String, "The pod."),
        Column::new("rx_bytes", DataType::Int64, "Bytes received.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricCounter),
        Column::new("rx_packets", DataType::Int64, "Packets received.").behaves(Pattern::MetricCounter),
        Column::new("rx_errors", DataType::Int64, "Receive errors.").behaves(Pattern::MetricCounter),
        Column::new("rx_drops", DataType::Int64, "Received packets dropped.").behaves(Pattern::MetricCounter),
        Column::new("tx_bytes", DataType::Int64, "Bytes sent.").means(Semantic::Bytes).behaves(Pattern::MetricCounter),
        Column::new("tx_packets", DataType::Int64, "Packets sent.").behaves(Pattern::MetricCounter),
        Column::new("tx_errors", DataType::Int64, "Send errors.").behaves(Pattern::MetricCounter),
        Column::new("tx_drops", DataType::Int64, "Packets to send dropped.").behaves(Pattern::MetricCounter),
    ],
};

/// Heap and garbage collection of Java processes.
pub static JVM_STATS: Table = Table {
    name: "jvm_stats",
    kind: Kind::Event,
    doc: "Heap and garbage collection of Java processes.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it was read.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The process.").means(Semantic::Upid),
        Column::new("young_gc_time", DataType::Int64, "Time in young collections.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricCounter),
        Column::new("full_gc_time", DataType::Int64, "Time in full collections.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricCounter),
        Column::new("used_heap_size", DataType::Int64, "Heap in use, bytes.").behaves(Pattern::MetricGauge),
        Column::new("total_heap_size", DataType::Int64, "Heap reserved, bytes.").behaves(Pattern::MetricGauge),
        Column::new("max_heap_size", DataType::Int64, "Most that the heap can be, bytes.")
            .behaves(Pattern::MetricGauge),
    ],
};

/// CPU samples by stack.
pub static STACK_TRACES: Table = Table {
    name: "stack_traces.beta",
    kind: Kind::Event,
    doc: "CPU samples by stack.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it was read.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The process.").means(Semantic::Upid),
        Column::new("stack_trace_id", DataType::Int64, "Number of the stack."),
        Column::new("stack_trace", DataType::String, "Frames from the outermost on, separated by semicolons."),
        Column::new("count", DataType::Int64, "Samples.").behaves(Pattern::MetricGauge),
    ],
};

/// What the tracer could not do.
pub static STIRLING_ERROR: Table = Table {
    name: "stirling_error",
    kind: Kind::Event,
    doc: "What the tracer could not do.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When it was read.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The process.").means(Semantic::Upid),
        Column::new("source_connector", DataType::String, "Part of the tracer."),
        Column::new("status", DataType::Int64, "Code of the error.").behaves(Pattern::GeneralEnum),
        Column::new("error", DataType::String, "What failed."),
        Column::new("context", DataType::String, "Where, as JSON."),
    ],
};
