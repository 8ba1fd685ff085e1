//! WebSocket: a row a message, since nothing answers anything.

use super::super::{Kind, Table};
use super::{
    ENCRYPTED, LOCAL_ADDR, LOCAL_PORT, PARTIAL, PX_INFO, REMOTE_ADDR, REMOTE_PORT, REMOTE_UPID, TRACE_ROLE, UPID,
};
use crate::columns::{Column, DataType, Pattern, Semantic, Storage};

/// WebSocket messages after an upgrade of HTTP/1.1.
pub static WEBSOCKET_EVENTS: Table = Table {
    name: "websocket_events",
    kind: Kind::Event,
    doc: "WebSocket messages, of either side: one row a message or control frame.",
    columns: &[
        Column::new("time_", DataType::Time64Ns, "When the message was complete.")
            .means(Semantic::TimeNs)
            .behaves(Pattern::MetricCounter),
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("path", DataType::String, "Target of the request that was upgraded, empty if it was not seen.")
            .behaves(Pattern::Structured)
            .stored(Storage::Bytes),
        Column::new("sender", DataType::String, "Who sent it: `client` or `server`.")
            .behaves(Pattern::GeneralEnum)
            .stored(Storage::Bytes),
        Column::new(
            "opcode",
            DataType::Int64,
            "1 text, 2 binary, 8 close, 9 ping, 10 pong; 0 the end of a message whose beginning was not seen.",
        )
        .behaves(Pattern::GeneralEnum),
        Column::new("fragments", DataType::Int64, "Frames of the message.").behaves(Pattern::MetricGauge),
        Column::new("compressed", DataType::Int64, "1 if an extension compressed the payload, else 0.")
            .behaves(Pattern::GeneralEnum),
        Column::new("body_size", DataType::Int64, "Bytes of the payload on the wire, without heads of frames.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new(
            "body",
            DataType::String,
            "Text of a message that is not compressed, up to the capture limit; reason of a close.",
        )
        .behaves(Pattern::Structured)
        .stored(Storage::Bytes),
        Column::new("close_code", DataType::Int64, "Code of a close, 0 if it has none.").behaves(Pattern::GeneralEnum),
        PX_INFO,
        REMOTE_UPID,
        Column::new("req_bytes", DataType::Int64, "Bytes on the wire if the client sent it, else 0.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        Column::new("resp_bytes", DataType::Int64, "Bytes on the wire if the server sent it, else 0.")
            .means(Semantic::Bytes)
            .behaves(Pattern::MetricGauge),
        PARTIAL,
        Column::new("failed", DataType::Boolean, "It closes the connection with a code other than 1000 and 1001.")
            .behaves(Pattern::GeneralEnum),
    ],
};
