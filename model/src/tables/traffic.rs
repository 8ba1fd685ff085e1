//! HTTP exchanges and connections.

use super::{Kind, Table};
use crate::columns::{Column, DataType, Pattern, Semantic, Storage};

/// HTTP exchanges: one row a request with its response.
pub static HTTP_EVENTS: Table = Table {
    name: "http_events",
    kind: Kind::Event,
    doc: "HTTP exchanges: one row a request with its response.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When the response was complete.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The traced process.").means(Semantic::Upid),
        Column::new("remote_addr", DataType::String, "Address of the other end, `-` when it is not known.")
            .means(Semantic::IpAddress)
            .stored(Storage::Address),
        Column::new("remote_port", DataType::Int64, "Port of the other end.").means(Semantic::Port),
        Column::new("local_addr", DataType::String, "Address of this end, `-` when it is not known.")
            .means(Semantic::IpAddress)
            .stored(Storage::Address),
        Column::new("local_port", DataType::Int64, "Port of this end.").means(Semantic::Port),
        Column::new("trace_role", DataType::Int64, "1 the traced process is the client, 2 the server, 4 not known.")
            .behaves(Pattern::GeneralEnum),
        Column::new("encrypted", DataType::Boolean, "The content was seen through a TLS library.")
            .behaves(Pattern::GeneralEnum),
        Column::new("major_version", DataType::Int64, "Major version of HTTP.").behaves(Pattern::GeneralEnum),
        Column::new("minor_version", DataType::Int64, "Minor version of HTTP.").behaves(Pattern::GeneralEnum),
        Column::new("content_type", DataType::Int64, "0 not known, 1 JSON, 2 gRPC.").behaves(Pattern::GeneralEnum),
        Column::new("req_headers", DataType::String, "Request headers as a JSON object.")
            .behaves(Pattern::Structured)
            .stored(Storage::HttpHeaders),
        Column::new("req_method", DataType::String, "Request method.")
            .means(Semantic::HttpReqMethod)
            .behaves(Pattern::GeneralEnum)
            .stored(Storage::Bytes),
        Column::new("req_path", DataType::String, "Request target as sent, with its query.")
            .behaves(Pattern::Structured)
            .stored(Storage::Bytes),
        Column::new("req_body", DataType::String, "Request body, decoded, up to the capture limit.")
            .behaves(Pattern::Structured)
            .stored(Storage::Bytes),
        Column::new("req_body_size", DataType::Int64, "Bytes of the request body on the wire, without chunk framing.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new("resp_headers", DataType::String, "Response headers as a JSON object.")
            .behaves(Pattern::Structured)
            .stored(Storage::HttpHeaders),
        Column::new("resp_status", DataType::Int64, "Response status.")
            .means(Semantic::HttpRespStatus)
            .behaves(Pattern::GeneralEnum),
        Column::new("resp_message", DataType::String, "Reason phrase.")
            .means(Semantic::HttpRespMessage)
            .behaves(Pattern::Structured)
            .stored(Storage::Bytes),
        Column::new("resp_body", DataType::String, "Response body, decoded, up to the capture limit.")
            .behaves(Pattern::Structured)
            .stored(Storage::Bytes),
        Column::new(
            "resp_body_size",
            DataType::Int64,
            "Bytes of the response body on the wire, without chunk framing.",
        )
        .means(Semantic::Bytes)
        .behaves(Pattern::MetricGauge),
        Column::new("latency", DataType::Int64, "From the last of the request to the last of the response.")
            .means(Semantic::DurationNs)
            .behaves(Pattern::MetricGauge),
        Column::new("px_info_", DataType::String, "Notes of the tracer."),
        Column::new(
            "remote_upid",
            DataType::Uint128,
            "The process at the other end when it is traced on this node too, else 0.",
        )
        .means(Semantic::Upid),
        Column::new("req_bytes", DataType::Int64, "Bytes of the whole request on the wire.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new("resp_bytes", DataType::Int64, "Bytes of the whole response on the wire.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new(
            "partial",
            DataType::Boolean,
            "A gap in the capture touched this exchange; sizes may be too small.",
        )
        .behaves(Pattern::GeneralEnum),
    ],
};

/// Connections and bytes by process and peer, counted in the kernel; a row whenever they changed.
pub static CONN_STATS: Table = Table {
    name: "conn_stats",
    kind: Kind::Event,
    doc: "Connections and bytes by process and peer, counted in the kernel; a row whenever they changed.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When the counters were read.").means(Semantic::TimeNs).behaves(Pattern::MetricCounter),
        Column::new("upid", DataType::Uint128, "The traced process.").means(Semantic::Upid),
        Column::new("remote_addr", DataType::String, "Address of the other end, `-` when it is not known.").means(Semantic::IpAddress).stored(Storage::Address),
        Column::new("remote_port", DataType::Int64, "Port of the other end; 0 where this end is the server.").means(Semantic::Port),
        Column::new("trace_role", DataType::Int64, "1 the traced process is the client, 2 the server, 4 not known.").behaves(Pattern::GeneralEnum),
        Column::new("addr_family", DataType::Int64, "Address family, AF_INET 2 or AF_INET6 10.").behaves(Pattern::GeneralEnum),
        Column::new("protocol", DataType::Int64, "0 not known, 1 HTTP, 2 HTTP/2, 3 MySQL, 4 CQL, 5 PostgreSQL, 6 DNS, 7 Redis, 8 NATS, 9 MongoDB, 10 Kafka, 11 Mux, 12 AMQP, 13 TLS.").behaves(Pattern::GeneralEnum),
        Column::new("ssl", DataType::Boolean, "The connection is encrypted.").behaves(Pattern::GeneralEnum),
        Column::new("conn_open", DataType::Int64, "Connections opened since tracing began.").behaves(Pattern::MetricCounter),
        Column::new("conn_close", DataType::Int64, "Connections closed since tracing began.").behaves(Pattern::MetricCounter),
        Column::new("conn_active", DataType::Int64, "Connections open when the counters were read.").behaves(Pattern::MetricGauge),
        Column::new("bytes_sent", DataType::Int64, "Bytes sent since tracing began.").means(Semantic::Bytes).behaves(Pattern::MetricCounter),
        Column::new("bytes_recv", DataType::Int64, "Bytes received since tracing began.").means(Semantic::Bytes).behaves(Pattern::MetricCounter),
        Column::new("px_info_", DataType::String, "Notes of the tracer."),
        Column::new("remote_upid", DataType::Uint128, "The process at the other end when it is traced on this node too, else 0.").means(Semantic::Upid),
        Column::new("opened", DataType::Int64, "Connections opened since the row before.").behaves(Pattern::MetricGauge),
        Column::new("closed", DataType::Int64, "Connections closed since the row before.").behaves(Pattern::MetricGauge),
        Column::new("sent", DataType::Int64, "Bytes sent since the row before.").means(Semantic::Bytes).behaves(Pattern::MetricGauge),
        Column::new("received", DataType::Int64, "Bytes received since the row before.").means(Semantic::Bytes).behaves(Pattern::MetricGauge),
        Column::new("unseen", DataType::Int64, "Bytes of `sent` and `received` whose content could not be seen (sendfile, splice, io_uring).").means(Semantic::Bytes).behaves(Pattern::MetricGauge),
    ],
};
