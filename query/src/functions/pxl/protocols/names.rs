//! The names: of our own protocol numbers, and of numbers in the specifications of HTTP, gRPC, DNS, Kafka, MySQL,
//! CQL, AMQP 0-9-1 and Mux.

use super::Names;

pub(super) static PROTOCOLS: Names = &[
    (0, "Unknown"),
    (1, "HTTP"),
    (2, "HTTP2"),
    (3, "MySQL"),
    (4, "CQL"),
    (5, "PGSQL"),
    (6, "DNS"),
    (7, "Redis"),
    (8, "NATS"),
    (9, "Mongo"),
    (10, "Kafka"),
    (11, "Mux"),
    (12, "AMQP"),
    (13, "TLS"),
];

/// As the bundled views write them.
pub(super) static PROTOCOL_LABELS: Names = &[
    (1, "http"),
    (2, "http2"),
    (3, "mysql"),
    (4, "cql"),
    (5, "postgresql"),
    (6, "dns"),
    (7, "redis"),
    (8, "nats"),
    (9, "mongodb"),
    (10, "kafka"),
    (11, "mux"),
    (12, "amqp"),
    (13, "tls"),
];

#[rustfmt::skip]
pub(super) static HTTP: Names = &[
    (100, "Continue"), (101, "Switching Protocols"), (102, "Processing"), (103, "Early Hints"),
    (200, "OK"), (201, "Created"), (202, "Accepted"), (203, "Non-Authoritative Information"), (204, "No Content"),
    (205, "Reset Content"), (206, "Partial Content"), (207, "Multi-Status"), (208, "Already Reported"),
    (226, "IM Used"), (300, "Multiple Choices"), (301, "Moved Permanently"), (302, "Found"), (303, "See Other"),
    (304, "Not Modified"), (305, "Use Proxy"), (307, "Temporary Redirect"), (308, "Permanent Redirect"),
    (400, "Bad Request"), (401, "Unauthorized"), (402, "Payment Required"), (403, "Forbidden"), (404, "Not Found"),
    (405, "Method Not Allowed"), (406, "Not Acceptable"), (407, "Proxy Authentication Required"),
    (408, "Request Timeout"), (409, "Conflict"), (410, "Gone"), (411, "Length Required"),
    (412, "Precondition Failed"), (413, "Payload Too Large"), (414, "URI Too Long"), (415, "Unsupported Media Type"),
    (416, "Range Not Satisfiable"), (417, "Expectation Failed"), (418, "I'm a teapot"), (421, "Misdirected Request"),
    (422, "Unprocessable Entity"), (423, "Locked"), (424, "Failed Dependency"), (425, "Too Early"),
    (426, "Upgrade Required"), (428, "Precondition Required"), (429, "Too Many Requests"),
    (431, "Request Header Fields Too Large"), (451, "Unavailable For Legal Reasons"), (500, "Internal Server Error"),
    (501, "Not Implemented"), (502, "Bad Gateway"), (503, "Service Unavailable"), (504, "Gateway Timeout"),
    (505, "HTTP Version Not Supported"), (506, "Variant Also Negotiates"), (507, "Insufficient Storage"),
    (508, "Loop Detected"), (510, "Not Extended"), (511, "Network Authentication Required"),
];

#[rustfmt::skip]
pub(super) static GRPC: Names = &[
    (0, "OK"), (1, "CANCELLED"), (2, "UNKNOWN"), (3, "INVALID_ARGUMENT"), (4, "DEADLINE_EXCEEDED"),
    (5, "NOT_FOUND"), (6, "ALREADY_EXISTS"), (7, "PERMISSION_DENIED"), (8, "RESOURCE_EXHAUSTED"),
    (9, "FAILED_PRECONDITION"), (10, "ABORTED"), (11, "OUT_OF_RANGE"), (12, "UNIMPLEMENTED"), (13, "INTERNAL"),
    (14, "UNAVAILABLE"), (15, "DATA_LOSS"), (16, "UNAUTHENTICATED"),
];

#[rustfmt::skip]
pub(super) static DNS: Names = &[
    (0, "NOERROR"), (1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (4, "NOTIMP"), (5, "REFUSED"),
    (6, "YXDOMAIN"), (7, "YXRRSET"), (8, "NXRRSET"), (9, "NOTAUTH"), (10, "NOTZONE"), (11, "DSOTYPENI"),
    (16, "BADVERS"), (17, "BADKEY"), (18, "BADTIME"), (19, "BADMODE"), (20, "BADNAME"), (21, "BADALG"),
    (22, "BADTRUNC"), (23, "BADCOOKIE"),
];

#[rustfmt::skip]
pub(super) static KAFKA: Names = &[
    (0, "Produce"), (1, "Fetch"), (2, "ListOffsets"), (3, "Metadata"), (4, "LeaderAndIsr"), (5, "StopReplica"),
    (6, "UpdateMetadata"), (7, "ControlledShutdown"), (8, "OffsetCommit"), (9, "OffsetFetch"),
    (10, "FindCoordinator"), (11, "JoinGroup"), (12, "Heartbeat"), (13, "LeaveGroup"), (14, "SyncGroup"),
    (15, "DescribeGroups"), (16, "ListGroups"), (17, "SaslHandshake"), (18, "ApiVersions"), (19, "CreateTopics"),
    (20, "DeleteTopics"), (21, "DeleteRecords"), (22, "InitProducerId"), (23, "OffsetForLeaderEpoch"),
    (24, "AddPartitionsToTxn"), (25, "AddOffsetsToTxn"), (26, "EndTxn"), (27, "WriteTxnMarkers"),
    (28, "TxnOffsetCommit"), (29, "DescribeAcls"), (30, "CreateAcls"), (31, "DeleteAcls"), (32, "DescribeConfigs"),
    (33, "AlterConfigs"), (34, "AlterReplicaLogDirs"), (35, "DescribeLogDirs"), (36, "SaslAuthenticate"),
    (37, "CreatePartitions"), (38, "CreateDelegationToken"), (39, "RenewDelegationToken"),
    (40, "ExpireDelegationToken"), (41, "DescribeDelegationToken"), (42, "DeleteGroups"), (43, "ElectLeaders"),
    (44, "IncrementalAlterConfigs"), (45, "AlterPartitionReassignments"), (46, "ListPartitionReassignments"),
    (47, "OffsetDelete"), (48, "DescribeClientQuotas"), (49, "AlterClientQuotas"),
    (50, "DescribeUserScramCredentials"), (51, "AlterUserScramCredentials"), (56, "AlterIsr"), (57, "UpdateFeatures"),
    (60, "DescribeCluster"), (61, "DescribeProducers"),
];

#[rustfmt::skip]
pub(super) static MYSQL: Names = &[
    (0, "Sleep"), (1, "Quit"), (2, "InitDB"), (3, "Query"), (4, "FieldList"), (5, "CreateDB"), (6, "DropDB"),
    (7, "Refresh"), (8, "Shutdown"), (9, "Statistics"), (10, "ProcessInfo"), (11, "Connect"), (12, "ProcessKill"),
    (13, "Debug"), (14, "Ping"), (15, "Time"), (16, "DelayedInsert"), (17, "ChangeUser"), (18, "BinlogDump"),
    (19, "TableDump"), (20, "ConnectOut"), (21, "RegisterSlave"), (22, "StmtPrepare"), (23, "StmtExecute"),
    (24, "StmtSendLongData"), (25, "StmtClose"), (26, "StmtReset"), (27, "SetOption"), (28, "StmtFetch"),
    (29, "Daemon"), (30, "BinlogDumpGTID"), (31, "ResetConnection"),
];

#[rustfmt::skip]
pub(super) static CQL: Names = &[
    (0, "Error"), (1, "Startup"), (2, "Ready"), (3, "Authenticate"), (5, "Options"), (6, "Supported"), (7, "Query"),
    (8, "Result"), (9, "Prepare"), (10, "Execute"), (11, "Register"), (12, "Event"), (13, "Batch"),
    (14, "AuthChallenge"), (15, "AuthResponse"), (16, "AuthSuccess"),
];

#[rustfmt::skip]
pub(super) static MUX: Names = &[
    (-128, "Rerr"), (-68, "Rinit"), (-66, "Rdiscarded"), (-65, "Rping"), (-64, "Rdrain"), (-62, "RerrOld"),
    (-2, "Rdispatch"), (-1, "Rreq"), (1, "Treq"), (2, "Tdispatch"), (64, "Tdrain"), (65, "Tping"),
    (66, "Tdiscarded"), (67, "Tlease"), (68, "Tinit"), (127, "RerrOld"),
];

pub(super) static AMQP_FRAMES: Names =
    &[(1, "Frame method"), (2, "Content Header"), (3, "Content Body"), (8, "Heartbeat")];

/// Number and name of a class, and its methods.
#[rustfmt::skip]
pub(super) static AMQP_METHODS: &[(i64, &str, Names)] = &[
    (10, "Connection", &[(10, "Start"), (11, "Start-ok"), (20, "Secure"), (21, "Secure-ok"), (30, "Tune"),
        (31, "Tune-ok"), (40, "Open"), (41, "Open-ok"), (50, "Close"), (51, "Close-ok"), (60, "Blocked"),
        (61, "Unblocked")]),
    (20, "Channel", &[(10, "Open"), (11, "Open-ok"), (20, "Flow"), (21, "Flow-ok"), (40, "Close"), (41, "Close-ok")]),
    (40, "Exchange", &[(10, "Declare"), (11, "Declare-ok"), (20, "Delete"), (21, "Delete-ok"), (30, "Bind"),
        (31, "Bind-ok"), (40, "Unbind"), (51, "Unbind-ok")]),
    (50, "Queue", &[(10, "Declare"), (11, "Declare-ok"), (20, "Bind"), (21, "Bind-ok"), (30, "Purge"),
        (31, "Purge-ok"), (40, "Delete"), (41, "Delete-ok"), (50, "Unbind"), (51, "Unbind-ok")]),
    (60, "Basic", &[(10, "Qos"), (11, "Qos-ok"), (20, "Consume"), (21, "Consume-ok"), (30, "Cancel"),
        (31, "Cancel-ok"), (40, "Publish"), (50, "Return"), (60, "Deliver"), (70, "Get"), (71, "Get-ok"),
        (72, "Get-empty"), (80, "Ack"), (90, "Reject"), (100, "Recover-async"), (110, "Recover"), (111, "Recover-ok"),
        (120, "Nack")]),
    (85, "Confirm", &[(10, "Select"), (11, "Select-ok")]),
    (90, "Tx", &[(10, "Select"), (11, "Select-ok"), (20, "Commit"), (21, "Commit-ok"), (30, "Rollback"),
        (31, "Rollback-ok")]),
];
