//! Shapes of messages by API key, after the message definitions of Apache Kafka 4.0. Those that are not here are
//! shown as `{}`.

use super::body::{Field, Kind, Kind::*, field};

type Shape = &'static [Field];

const ERROR: Field = field("error_code", Error);
const THROTTLE: Field = field("throttle_time_ms", I32);
const GROUP: Field = field("group_id", Text);
const MEMBER: Field = field("member_id", Text);
const INSTANCE: Field = field("group_instance_id", Text);
const PARTITION: Field = field("partition", I32);
const TOPIC_ID: Field = field("topic_id", TopicId);
const NAME: Field = field("name", Text);

/// The shape of a request and that of its answer.
pub(super) fn shapes(key: i16) -> Option<(Shape, Shape)> {
    Some(match key {
        0 => (PRODUCE, PRODUCED),
        1 => (FETCH, FETCHED),
        3 => (METADATA, METADATA_FOUND),
        8 => (COMMIT, COMMITTED),
        9 => (OFFSETS, OFFSETS_FOUND),
        10 => (FIND, FOUND),
        11 => (JOIN, JOINED),
        12 => (HEARTBEAT, HEARTBEAT_TAKEN),
        14 => (SYNC, SYNCED),
        18 => (VERSIONS, VERSIONS_FOUND),
        _ => return None,
    })
}

const PRODUCE: Shape = &[
    field("transactional_id", Text).since(3),
    field("acks", I16),
    field("timeout_ms", I32),
    field("topics", List(&[NAME.until(12), TOPIC_ID.since(13), field("partitions", List(&[PARTITION, RECORDS]))])),
];
const RECORDS: Field = field("records", Kind::Records);
const PRODUCED: Shape = &[
    field("topics", List(&[NAME.until(12), TOPIC_ID.since(13), field("partitions", List(PRODUCED_PARTITION))])),
    THROTTLE.since(1),
];
const PRODUCED_PARTITION: Shape = &[
    PARTITION,
    ERROR,
    field("base_offset", I64),
    field("log_append_time_ms", I64).since(2),
    field("log_start_offset", I64).since(5),
    field("record_errors", List(&[field("batch_index", I32), field("error_message", Text)])).since(8),
    field("error_message", Text).since(8),
];

const FETCH: Shape = &[
    field("replica_id", I32).until(14),
    field("max_wait_ms", I32),
    field("min_bytes", I32),
    field("max_bytes", I32).since(3),
    field("isolation_level", I8).since(4),
    field("session_id", I32).since(7),
    field("session_epoch", I32).since(7),
    field("topics", List(&[NAME.until(12), TOPIC_ID.since(13), field("partitions", List(FETCH_PARTITION))])),
    field("forgotten_topics", List(&[NAME.until(12), TOPIC_ID.since(13), field("partitions", Ints)])).since(7),
    field("rack_id", Text).since(11),
];
const FETCH_PARTITION: Shape = &[
    PARTITION,
    field("current_leader_epoch", I32).since(9),
    field("fetch_offset", I64),
    field("last_fetched_epoch", I32).since(12),
    field("log_start_offset", I64).since(5),
    field("partition_max_bytes", I32),
];
const FETCHED: Shape = &[
    THROTTLE.since(1),
    ERROR.since(7),
    field("session_id", I32).since(7),
    field("topics", List(&[NAME.until(12), TOPIC_ID.since(13), field("partitions", List(FETCHED_PARTITION))])),
];
const FETCHED_PARTITION: Shape = &[
    PARTITION,
    ERROR,
    field("high_watermark", I64),
    field("last_stable_offset", I64).since(4),
    field("log_start_offset", I64).since(5),
    field("aborted_transactions", List(&[field("producer_id", I64), field("first_offset", I64)])).since(4),
    field("preferred_read_replica", I32).since(11),
    RECORDS,
];

const METADATA: Shape = &[
    field("topics", List(&[TOPIC_ID.since(10), NAME])),
    field("allow_auto_topic_creation", Flag).since(4),
    field("include_cluster_authorized_operations", Flag).since(8).until(10),
    field("include_topic_authorized_operations", Flag).since(8),
];
const METADATA_FOUND: Shape = &[
    THROTTLE.since(3),
    field("brokers", List(&[field("node_id", I32), field("host", Text), field("port", I32), RACK.since(1)])),
    field("cluster_id", Text).since(2),
    field("controller_id", I32).since(1),
    field("topics", List(METADATA_TOPIC)),
    field("cluster_authorized_operations", I32).since(8).until(10),
    ERROR.since(13),
];
const RACK: Field = field("rack", Text);
const METADATA_TOPIC: Shape = &[
    ERROR,
    field("name", TopicName),
    field("topic_id", NamedId).since(10),
    field("is_internal", Flag).since(1),
    field("partitions", List(METADATA_PARTITION)),
    field("topic_authorized_operations", I32).since(8),
];
const METADATA_PARTITION: Shape = &[
    ERROR,
    PARTITION,
    field("leader_id", I32),
    field("leader_epoch", I32).since(7),
    field("replicas", Ints),
    field("isr", Ints),
    field("offline_replicas", Ints).since(5),
];

const COMMIT: Shape = &[
    GROUP,
    field("generation_id", I32).since(1),
    MEMBER.since(1),
    INSTANCE.since(7),
    field("retention_time_ms", I64).since(2).until(4),
    field("topics", List(&[NAME.until(9), TOPIC_ID.since(10), field("partitions", List(COMMIT_PARTITION))])),
];
const COMMIT_PARTITION: Shape = &[
    PARTITION,
    field("offset", I64),
    field("leader_epoch", I32).since(6),
    field("timestamp", I64).since(1).until(1),
    field("metadata", Text),
];
const COMMITTED: Shape = &[
    THROTTLE.since(3),
    field("topics", List(&[NAME.until(9), TOPIC_ID.since(10), field("partitions", List(&[PARTITION, ERROR]))])),
];

const OFFSETS: Shape = &[
    GROUP.until(7),
    field("topics", List(&[NAME, field("partitions", Ints)])).until(7),
    field("groups", List(&[GROUP, MEMBER.since(9), EPOCH.since(9), OFFSETS_TOPICS])).since(8),
    field("require_stable", Flag).since(7),
];
const EPOCH: Field = field("member_epoch", I32);
const OFFSETS_TOPICS: Field = field("topics", List(&[NAME.until(9), TOPIC_ID.since(10), field("partitions", Ints)]));
const OFFSETS_FOUND: Shape = &[
    THROTTLE.since(3),
    field("topics", List(&[NAME, field("partitions", List(OFFSET))])).until(7),
    ERROR.since(2).until(7),
    field("groups", List(&[GROUP, OFFSETS_FOUND_TOPICS, ERROR])).since(8),
];
const OFFSETS_FOUND_TOPICS: Field =
    field("topics", List(&[NAME.until(9), TOPIC_ID.since(10), field("partitions", List(OFFSET))]));
const OFFSET: Shape =
    &[PARTITION, field("offset", I64), field("leader_epoch", I32).since(5), field("metadata", Text), ERROR];

const FIND: Shape =
    &[field("key", Text).until(3), field("key_type", I8).since(1), field("coordinator_keys", Texts).since(4)];
const FOUND: Shape = &[
    THROTTLE.since(1),
    ERROR.until(3),
    field("error_message", Text).since(1).until(3),
    field("node_id", I32).until(3),
    field("host", Text).until(3),
    field("port", I32).until(3),
    field("coordinators", List(COORDINATOR)).since(4),
];
const COORDINATOR: Shape = &[
    field("key", Text),
    field("node_id", I32),
    field("host", Text),
    field("port", I32),
    ERROR,
    field("error_message", Text),
];

const JOIN: Shape = &[
    GROUP,
    field("session_timeout_ms", I32),
    field("rebalance_timeout_ms", I32).since(1),
    MEMBER,
    INSTANCE.since(5),
    field("protocol_type", Text),
    field("protocols", List(&[NAME, field("metadata_bytes", Size)])),
    field("reason", Text).since(8),
];
const JOINED: Shape = &[
    THROTTLE.since(2),
    ERROR,
    field("generation_id", I32),
    field("protocol_type", Text).since(7),
    field("protocol_name", Text),
    field("leader", Text),
    field("skip_assignment", Flag).since(9),
    MEMBER,
    field("members", List(&[MEMBER, INSTANCE.since(5), field("metadata_bytes", Size)])),
];
const SYNC: Shape = &[
    GROUP,
    field("generation_id", I32),
    MEMBER,
    INSTANCE.since(3),
    field("protocol_type", Text).since(5),
    field("protocol_name", Text).since(5),
    field("assignments", List(&[MEMBER, field("assignment_bytes", Size)])),
];
const SYNCED: Shape = &[
    THROTTLE.since(1),
    ERROR,
    field("protocol_type", Text).since(5),
    field("protocol_name", Text).since(5),
    field("assignment_bytes", Size),
];
const HEARTBEAT: Shape = &[GROUP, field("generation_id", I32), MEMBER, INSTANCE.since(3)];
const HEARTBEAT_TAKEN: Shape = &[THROTTLE.since(1), ERROR];
const VERSIONS: Shape =
    &[field("client_software_name", Text).since(3), field("client_software_version", Text).since(3)];
const VERSIONS_FOUND: Shape = &[
    ERROR,
    field("api_keys", List(&[field("api_key", I16), field("min_version", I16), field("max_version", I16)])),
    THROTTLE.since(1),
];
