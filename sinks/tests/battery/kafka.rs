//! Topics of a real broker, read by a client of another make.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use watershed_integration::broker::{self, Broker};
use watershed_integration::processes;

use crate::cases::Other;
use crate::registry::Registry;
use crate::view::Rows;

/// One broker at a time: they need much memory and start slowly side by side.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct Kafka {
    pub(crate) broker: Broker,
    mode: &'static str,
    pub(crate) topic: String,
    /// Records are Avro if there is one.
    registry: Option<Registry>,
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
        Ok(Self { broker, mode, topic: "rows".to_owned(), registry: None, _one: one })
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
        let (brokers, topic, mode) = (self.broker.address(), &self.topic, self.mode);
        format!("[kafka]\nbrokers = \"{brokers}\"\ntopic = \"{topic}\"\nmode = \"{mode}\"\n{format}")
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

mod avro_changes {
    use super::Kafka;

    crate::battery!(Kafka::avro("changes"), rows_without_key_are_counted, a_restart_in_the_middle_changes_nothing);
}

mod avro_upsert {
    use super::Kafka;

    crate::battery!(Kafka::avro("upsert"), snapshot_deltas_and_retractions, a_restart_in_the_middle_changes_nothing);
}
