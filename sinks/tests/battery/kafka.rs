//! Topics of a real broker, read by a client of another make.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use serde::Deserialize;
use watershed_integration::broker::{self, Broker};
use watershed_integration::processes;
use watershed_sinks::Phase;

use crate::cases::{self, Other};
use crate::registry::Registry;
use crate::view::{Rows, View};

/// One broker at a time: they need much memory and start slowly side by side.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct Kafka {
    pub(crate) broker: Broker,
    mode: &'static str,
    pub(crate) topic: String,
    /// Records are Avro if there is one.
    registry: Option<Registry>,
    /// It is written to through TLS, by somebody who says who it is.
    tls: bool,
    _one: MutexGuard<'static, ()>,
}

#[derive(Deserialize)]
struct Read {
    rows: BTreeMap<String, i64>,
    frontier: u64,
    problems: Vec<String>,
}

impl Kafka {
    pub(crate) fn new(mode: &'static str) -> Result<Self, String> {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        if broker::python().is_none() {
            return Err("no Python with confluent-kafka; `tools/setup.sh test` installs it".to_owned());
        }
        let broker = Broker::start().unwrap()?;
        Ok(Self { broker, mode, topic: "rows".to_owned(), registry: None, tls: false, _one: one })
    }

    fn client(&self) -> ClientConfig {
        [("bootstrap.servers".to_owned(), self.broker.address())].into_iter().collect()
    }

    /// Creates the topic on one broker.
    async fn create_on(&self, node: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let replicas: [&[i32]; 1] = [&[node]];
        let topic = NewTopic::new(&self.topic, 1, TopicReplication::Variable(&replicas));
        let created = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
        assert_eq!(created, [Ok(self.topic.clone())]);
    }

    /// Where the topic of frontiers ends.
    fn frontiers(&self) -> i64 {
        let consumer: BaseConsumer = self.client().create().unwrap();
        consumer.fetch_watermarks(&format!("{}.frontier", self.topic), 0, Duration::from_secs(10)).unwrap().1
    }

    fn secured(mode: &'static str) -> Result<Self, String> {
        Ok(Self { tls: true, ..Self::new(mode)? })
    }

    fn avro(mode: &'static str) -> Result<Self, String> {
        Ok(Self { registry: Some(Registry::start()), ..Self::new(mode)? })
    }
}

impl Other for Kafka {
    fn section(&self) -> String {
        let format = self.registry.as_ref().map_or_else(String::new, |registry| {
            format!("format = \"avro\"\n[kafka.registry]\nurl = \"{}\"\n", registry.url())
        });
        let (topic, mode) = (&self.topic, self.mode);
        let (brokers, security) = if self.tls {
            let ((user, password), ca) = (broker::ADMIN, self.broker.authority());
            let login = format!("username = \"{user}\"\npassword = \"{password}\"\nca = \"{}\"\n", ca.display());
            (self.broker.tls_address(), format!("[kafka.security]\nmechanism = \"SCRAM-SHA-256\"\n{login}"))
        } else {
            (self.broker.address(), String::new())
        };
        format!("[kafka]\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"\nmode = \"{mode}\"\n{format}{security}")
    }

    fn held(&self) -> (Rows, u64) {
        let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/kafka/reader.py");
        let mut command = Command::new(broker::python().unwrap());
        command.arg(reader).args([&self.broker.address(), &self.topic, self.mode, "test"]);
        command.args(self.registry.as_ref().map(Registry::url));
        let read: Read = serde_json::from_str(&processes::output(&mut command).unwrap()).unwrap();
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        (read.rows, read.frontier)
    }

    fn break_it(&mut self) {
        self.broker.kill();
    }

    fn mend(&mut self) {
        self.broker.freeze(false);
        self.broker.resume().unwrap();
    }

    fn slow_down(&mut self) -> bool {
        self.broker.freeze(true);
        true
    }

    fn refuse(&mut self, _: &str) -> bool {
        false
    }
}

mod changes {
    use super::Kafka;

    crate::battery!(Kafka::new("changes"));
}

mod table {
    use super::Kafka;

    crate::battery!(Kafka::new("changes"), rows_of_a_table_wait_for_an_endpoint_that_is_down);
}

/// Closed times that come while the broker does not answer: they wait, and are one transaction when it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_times_that_wait_are_one_transaction() {
    let mut kafka = match Kafka::new("changes") {
        Ok(kafka) => kafka,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let view = View::new(true);
    view.set("a", 0);
    let running = cases::start(&kafka, &view, "1MiB");
    let status = Arc::clone(running.status());
    let caught_up = || status.snapshot().frontier >= view.time();
    cases::until("the topic is open", caught_up).await;
    // The mark of a transaction may come a moment after its end is told.
    cases::until("the mark of the first", || tokio::task::block_in_place(|| kafka.frontiers()) % 2 == 0).await;
    let before = tokio::task::block_in_place(|| kafka.frontiers());
    kafka.slow_down();
    for n in 1..=30 {
        view.set(["a", "b", "c"][n % 3], n as i64);
    }
    cases::until("the sink has been told of all times", || status.snapshot().closed >= view.time()).await;
    kafka.mend();
    cases::until("all is written", caught_up).await;
    let (rows, frontier) = tokio::task::block_in_place(|| kafka.held());
    assert_eq!((rows, frontier), (view.rows(), view.time()));
    // A frontier and the mark of its transaction; one transaction was on its way when the broker stopped.
    let written = tokio::task::block_in_place(|| kafka.frontiers()) - before;
    assert!((2..=4).contains(&written), "{written} records and marks of frontiers for 30 times");
    running.stop().await;
}

/// The topic lies on a broker of its own, which fails and comes back; the coordinator of transactions lives on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_without_a_leader_is_waited_for() {
    let mut kafka = match Kafka::new("changes") {
        Ok(kafka) => kafka,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    let view = View::new(true);
    view.set("a", 0);
    // The coordinator's topic is made with the first transaction, where there is one broker only.
    "before".clone_into(&mut kafka.topic);
    let running = cases::start(&kafka, &view, "1MiB");
    cases::until("the first topic is written", || running.status().snapshot().frontier >= view.time()).await;
    running.stop().await;
    let mut second = tokio::task::block_in_place(|| kafka.broker.second()).unwrap();
    "rows".clone_into(&mut kafka.topic);
    kafka.create_on(2).await;
    let running = cases::start(&kafka, &view, "1MiB");
    let status = Arc::clone(running.status());
    let caught_up = || status.snapshot().frontier >= view.time();
    view.set("a", 1);
    cases::until("the topic on the second broker is written", caught_up).await;
    second.kill();
    for n in 2..12 {
        view.set(["a", "b"][n % 2], n as i64);
    }
    cases::until("the failure shows", || status.snapshot().phase == Phase::Retrying).await;
    assert!(!status.snapshot().reason.is_empty());
    view.set("c", 1);
    tokio::task::block_in_place(|| second.resume()).unwrap();
    cases::until("all is written", caught_up).await;
    let (rows, frontier) = tokio::task::block_in_place(|| kafka.held());
    assert_eq!((rows, frontier), (view.rows(), view.time()));
    running.stop().await;
}

mod upsert {
    use super::Kafka;

    crate::battery!(
        Kafka::new("upsert"),
        snapshot_deltas_and_retractions,
        a_restart_in_the_middle_changes_nothing,
        an_endpoint_that_is_down_is_tried_again,
        a_full_buffer_falls_back_to_a_snapshot,
        a_slow_endpoint_does_not_slow_the_view,
        shutdown_writes_what_waits_or_gives_up_in_time
    );
}

mod secured {
    use super::Kafka;

    crate::battery!(
        Kafka::secured("changes"),
        snapshot_deltas_and_retractions,
        an_endpoint_that_is_down_is_tried_again
    );
}

mod avro_changes {
    use super::Kafka;

    crate::battery!(Kafka::avro("changes"), rows_without_key_are_counted, a_restart_in_the_middle_changes_nothing);
}

mod avro_upsert {
    use super::Kafka;

    crate::battery!(Kafka::avro("upsert"), snapshot_deltas_and_retractions, a_restart_in_the_middle_changes_nothing);
}
