//! Needs root: what real servers and their clients say to each other is decoded by tshark as well, and every exchange
//! is in the tables as it was said, at least 999 of 1000, and nothing else is.

use anyhow::Result;
use watershed_integration::oracle::stage::{self, Case};
use watershed_integration::oracle::{amqp, cql, dns, http2, kafka, mongodb, mysql, nats, pgsql, redis, servers, tls};

macro_rules! cases {
    ($($(#[$attribute:meta])* $test:ident: $module:ident, $table:literal, $port:literal, $server:path, $command:literal, $client:literal;)*) => {
        $(
            #[test]
            $(#[$attribute])*
            fn $test() -> Result<()> {
                let case = Case {
                    name: stringify!($module),
                    table: $table,
                    port: $port,
                    commands: &[$command],
                    modules: &[$client],
                    expected: $module::expected,
                    found: $module::found,
                };
                stage::judge(&case, $server)
            }
        )*
    };
}

cases! {
    amqp_rows_are_what_was_said_as_root: amqp, "amqp_events", 5672, servers::rabbitmq, "rabbitmq-server", "pika";
    bind_rows_are_what_was_said_as_root: dns, "dns_events", 53, servers::bind, "named", "dns.query";
    cql_rows_are_what_was_said_as_root: cql, "cql_events", 9042, servers::cassandra, "java", "cassandra.cluster";
    dns_rows_are_what_was_said_as_root: dns, "dns_events", 53, servers::unbound, "unbound", "dns.query";
    http2_rows_are_what_was_said_as_root: http2, "http_events", 50051, servers::grpc, "ip", "grpc";
    kafka_rows_are_what_was_said_as_root: kafka, "kafka_events.beta", 9092, servers::kafka, "java", "confluent_kafka";
    mongodb_rows_are_what_was_said_as_root: mongodb, "mongodb_events", 27017, servers::ferret, "go", "pymongo";
    mysql_rows_are_what_was_said_as_root: mysql, "mysql_events", 3306, servers::mariadb, "mariadbd", "pymysql";
    nats_rows_are_what_was_said_as_root: nats, "nats_events.beta", 4222, servers::nats, "nats-server", "nats";
    pgsql_rows_are_what_was_said_as_root: pgsql, "pgsql_events", 5432, servers::postgres, "setpriv", "psycopg";
    redis_rows_are_what_was_said_as_root: redis, "redis_events", 6379, servers::redis, "redis-server", "redis";
    tls_rows_are_what_was_said_as_root: tls, "tls_events", 443, servers::openssl, "openssl", "ssl";
}
