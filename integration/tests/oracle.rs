//! Needs root: what real servers and their clients say to each other is decoded by tshark as well, and every exchange
//! is in the tables as it was said, at least 999 of 1000, and nothing else is.

use anyhow::Result;
use watershed_integration::oracle::stage::{self, Case};
use watershed_integration::oracle::{nats, servers};

const NATS: Case = Case {
    name: "nats",
    table: "nats_events.beta",
    port: 4222,
    commands: &["nats-server"],
    modules: &["nats"],
    expected: nats::expected,
    found: nats::found,
};

#[test]
fn nats_rows_are_what_was_said_as_root() -> Result<()> {
    stage::judge(&NATS, servers::nats)
}

macro_rules! tmp {
    ($f:ident, $n:literal, $t:literal, $p:literal, $s:path) => {
        #[test]
        fn $f() -> Result<()> {
            stage::judge(
                &Case {
                    name: $n,
                    table: $t,
                    port: $p,
                    commands: &[],
                    modules: &[],
                    expected: |_| Ok(vec![]),
                    found: |_| panic!(),
                },
                $s,
            )
        }
    };
}
tmp!(amqp, "amqp", "amqp_events", 5672, servers::rabbitmq);
tmp!(kafka, "kafka", "kafka_events.beta", 9092, servers::kafka);
tmp!(cql, "cql", "cql_events", 9042, servers::cassandra);
tmp!(mongodb, "mongodb", "mongodb_events", 27017, servers::ferret);
tmp!(pgsql, "pgsql", "pgsql_events", 5432, servers::postgres);
tmp!(mysql, "mysql", "mysql_events", 3306, servers::mariadb);
tmp!(redis, "redis", "redis_events", 6379, servers::redis);
tmp!(dns, "dns", "dns_events", 53, servers::bind);
