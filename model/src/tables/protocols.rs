//! One table a protocol beside HTTP. All begin and end alike: where and when, then what the protocol says, then how
//! long it took and what the tracer adds.

mod websocket;

use super::{Kind, Table};
use crate::columns::{Column, DataType, Pattern, Semantic, Storage};
pub use websocket::WEBSOCKET_EVENTS;

const TIME: Column = Column::new(
    "time_",
    DataType::Time64Ns,
    "When the exchange was complete; of Kafka, MongoDB and NATS, when it was asked.",
)
.means(Semantic::TimeNs)
.behaves(Pattern::MetricCounter);
const UPID: Column = Column::new("upid", DataType::Uint128, "The traced process.").means(Semantic::Upid);
const REMOTE_ADDR: Column =
    Column::new("remote_addr", DataType::String, "Address of the other end, `-` when it is not known.")
        .means(Semantic::IpAddress)
        .stored(Storage::Address);
const REMOTE_PORT: Column = Column::new("remote_port", DataType::Int64, "Port of the other end.").means(Semantic::Port);
const LOCAL_ADDR: Column =
    Column::new("local_addr", DataType::String, "Address of this end, `-` when it is not known.")
        .means(Semantic::IpAddress)
        .stored(Storage::Address);
const LOCAL_PORT: Column = Column::new("local_port", DataType::Int64, "Port of this end.").means(Semantic::Port);
const TRACE_ROLE: Column =
    Column::new("trace_role", DataType::Int64, "1 the traced process is the client, 2 the server, 4 not known.")
        .behaves(Pattern::GeneralEnum);
const ENCRYPTED: Column = Column::new("encrypted", DataType::Boolean, "The content was seen through a TLS library.")
    .behaves(Pattern::GeneralEnum);
const LATENCY: Column =
    Column::new("latency", DataType::Int64, "From the last of the request to the last of the answer.")
        .means(Semantic::DurationNs)
        .behaves(Pattern::MetricGauge);
const PX_INFO: Column = Column::new("px_info_", DataType::String, "Notes of the tracer.");
const REMOTE_UPID: Column = Column::new(
    "remote_upid",
    DataType::Uint128,
    "The process at the other end when it is traced on this node too, else 0.",
)
.means(Semantic::Upid);
const REQ_BYTES: Column = Column::new("req_bytes", DataType::Int64, "Bytes of the whole request on the wire.")
    .means(Semantic::Bytes)
    .behaves(Pattern::MetricGauge);
const RESP_BYTES: Column = Column::new("resp_bytes", DataType::Int64, "Bytes of the whole answer on the wire.")
    .means(Semantic::Bytes)
    .behaves(Pattern::MetricGauge);
const PARTIAL: Column = Column::new(
    "partial",
    DataType::Boolean,
    "A gap in the capture touched this exchange; content or sizes may be short.",
)
.behaves(Pattern::GeneralEnum);
const FAILED: Column =
    Column::new("failed", DataType::Boolean, "The answer says that the request failed.").behaves(Pattern::GeneralEnum);

/// MySQL commands: one row a command with its answer.
pub static MYSQL_EVENTS: Table = Table {
    name: "mysql_events",
    kind: Kind::Event,
    doc: "MySQL commands: one row a command with its answer.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_cmd", DataType::Int64, "Command number (COM_*).").behaves(Pattern::GeneralEnum),
        Column::new(
            "req_body",
            DataType::String,
            "The statement, with the parameters of a prepared one filled in, or the command's argument.",
        )
        .stored(Storage::Bytes),
        Column::new("resp_status", DataType::Int64, "0 not known, 1 no answer expected, 2 OK, 3 error.")
            .behaves(Pattern::GeneralEnum),
        Column::new("resp_body", DataType::String, "Rows of the result set or the error message.")
            .stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// PostgreSQL queries: one row a query or other request with its answer.
pub static PGSQL_EVENTS: Table = Table {
    name: "pgsql_events",
    kind: Kind::Event,
    doc: "PostgreSQL queries: one row a query or other request with its answer.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_cmd", DataType::String, "Message type by name, such as QUERY or EXECUTE.")
            .behaves(Pattern::GeneralEnum)
            .stored(Storage::Bytes),
        Column::new("req", DataType::String, "The statement, with the parameters of a prepared one filled in.")
            .stored(Storage::Bytes),
        Column::new("resp", DataType::String, "Rows, command tag or error.").stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// Cassandra (CQL) requests with their answers.
pub static CQL_EVENTS: Table = Table {
    name: "cql_events",
    kind: Kind::Event,
    doc: "Cassandra (CQL) requests with their answers.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_op", DataType::Int64, "Opcode of the request.").behaves(Pattern::GeneralEnum),
        Column::new("req_body", DataType::String, "The statement or other content.").stored(Storage::Bytes),
        Column::new("resp_op", DataType::Int64, "Opcode of the answer.").behaves(Pattern::GeneralEnum),
        Column::new("resp_body", DataType::String, "Result or error.").stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// Redis commands with their replies.
pub static REDIS_EVENTS: Table = Table {
    name: "redis_events",
    kind: Kind::Event,
    doc: "Redis commands with their replies.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_cmd", DataType::String, "Command, upper case.").stored(Storage::Bytes),
        Column::new("req_args", DataType::String, "Arguments as JSON.").stored(Storage::Bytes),
        Column::new("resp", DataType::String, "The reply.").stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// DNS queries with their answers.
pub static DNS_EVENTS: Table = Table {
    name: "dns_events",
    kind: Kind::Event,
    doc: "DNS queries with their answers.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_header", DataType::String, "Header of the query as JSON.").stored(Storage::Bytes),
        Column::new("req_body", DataType::String, "Questions as JSON.").stored(Storage::Bytes),
        Column::new("resp_header", DataType::String, "Header of the answer as JSON.").stored(Storage::Bytes),
        Column::new("resp_body", DataType::String, "Answers as JSON.").stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// Kafka requests with their answers.
pub static KAFKA_EVENTS: Table = Table {
    name: "kafka_events.beta",
    kind: Kind::Event,
    doc: "Kafka requests with their answers.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_cmd", DataType::Int64, "API key.").behaves(Pattern::GeneralEnum),
        Column::new("client_id", DataType::String, "Client id.").stored(Storage::Bytes),
        Column::new("req_body", DataType::String, "Request as JSON.").stored(Storage::Bytes),
        Column::new("resp", DataType::String, "Answer as JSON.").stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// MongoDB commands with their replies.
pub static MONGODB_EVENTS: Table = Table {
    name: "mongodb_events",
    kind: Kind::Event,
    doc: "MongoDB commands with their replies.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_cmd", DataType::String, "Command.").stored(Storage::Bytes),
        Column::new("req_body", DataType::String, "Command document as JSON.").stored(Storage::Bytes),
        Column::new("resp_status", DataType::String, "ok or error.").stored(Storage::Bytes),
        Column::new("resp_body", DataType::String, "Reply document as JSON.").stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// AMQP 0-9-1 methods with their answers.
pub static AMQP_EVENTS: Table = Table {
    name: "amqp_events",
    kind: Kind::Event,
    doc: "AMQP 0-9-1 methods with their answers.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("frame_type", DataType::Int64, "1 method, 2 header, 3 body, 8 heartbeat."),
        Column::new("channel", DataType::Int64, "Channel."),
        Column::new("req_class_id", DataType::Int64, "Class of the request."),
        Column::new("req_method_id", DataType::Int64, "Method of the request."),
        Column::new("resp_class_id", DataType::Int64, "Class of the answer."),
        Column::new("resp_method_id", DataType::Int64, "Method of the answer."),
        Column::new("req_msg", DataType::String, "Arguments of the request as JSON.").stored(Storage::Bytes),
        Column::new("resp_msg", DataType::String, "Arguments of the answer as JSON.").stored(Storage::Bytes),
        LATENCY,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// NATS commands.
pub static NATS_EVENTS: Table = Table {
    name: "nats_events.beta",
    kind: Kind::Event,
    doc: "NATS commands.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("cmd", DataType::String, "Command.").stored(Storage::Bytes),
        Column::new("body", DataType::String, "Options as JSON.").behaves(Pattern::Structured).stored(Storage::Bytes),
        Column::new("resp", DataType::String, "Answer: OK, an error or the acknowledgement.").stored(Storage::Bytes),
        PX_INFO,
        LATENCY,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// Mux (Finagle) requests with their answers.
pub static MUX_EVENTS: Table = Table {
    name: "mux_events",
    kind: Kind::Event,
    doc: "Mux (Finagle) requests with their answers.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        ENCRYPTED,
        Column::new("req_type", DataType::Int64, "Message type.").behaves(Pattern::GeneralEnum),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};

/// TLS handshakes.
pub static TLS_EVENTS: Table = Table {
    name: "tls_events",
    kind: Kind::Event,
    doc: "TLS handshakes.",
    columns: &[
        TIME,
        UPID,
        REMOTE_ADDR,
        REMOTE_PORT,
        LOCAL_ADDR,
        LOCAL_PORT,
        TRACE_ROLE,
        Column::new("req_type", DataType::Int64, "Content type.").behaves(Pattern::GeneralEnum),
        Column::new("req_body", DataType::String, "The client's hello as JSON: versions, SNI, ALPN, ciphers.")
            .behaves(Pattern::Structured)
            .stored(Storage::Bytes),
        Column::new(
            "resp_body",
            DataType::String,
            "The server's hello as JSON, and the subject of its certificate where it is in clear.",
        )
        .behaves(Pattern::Structured)
        .stored(Storage::Bytes),
        LATENCY,
        PX_INFO,
        REMOTE_UPID,
        REQ_BYTES,
        RESP_BYTES,
        PARTIAL,
        FAILED,
    ],
};
