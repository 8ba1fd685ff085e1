//! Where partitions end, and whether all that lies before is decided.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;

use super::ANSWER;
use super::faults::{Overheard, fault};
use crate::endpoint::Fault;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks brokers for the ends of partitions.
pub(super) struct Ends<'a> {
    committed: BaseConsumer<Overheard>,
    written: BaseConsumer<Overheard>,
    overheard: Overheard,
    stopped: &'a AtomicBool,
}

impl<'a> Ends<'a> {
    /// `config` is that of a `read_committed` consumer.
    pub(super) fn new(config: &ClientConfig, stopped: &'a AtomicBool) -> Result<Self, Fault> {
        let overheard = Overheard::default();
        let wrong = |error: KafkaError| fault("connecting", &error, &overheard, false);
        let committed = config.create_with_context(overheard.clone()).map_err(wrong)?;
        let mut config = config.clone();
        config.set("isolation.level", "read_uncommitted");
        let written = config.create_with_context(overheard.clone()).map_err(wrong)?;
        Ok(Self { committed, written, overheard, stopped })
    }

    /// The end of each partition of a topic, committed or not.
    pub(super) fn written(&self, topic: &str) -> Result<BTreeMap<i32, i64>, Fault> {
        let wrong = |error: KafkaError| fault(&format!("reading topic {topic}"), &error, &self.overheard, false);
        let metadata = self.written.fetch_metadata(Some(topic), ANSWER).map_err(wrong)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let partitions = found.map(|found| found.partitions()).unwrap_or_default();
        if partitions.is_empty() {
            return Err(Fault::Retry(format!("topic {topic} has no partitions yet")));
        }
        let end =
            |partition| Ok((partition, self.written.fetch_watermarks(topic, partition, ANSWER).map_err(wrong)?.1));
        partitions.iter().map(|partition| end(partition.id())).collect()
    }

    /// Waits until everything before `ends` is committed or aborted; the partitions where it is not after `patience`.
    pub(super) fn undecided(
        &self,
        topic: &str,
        ends: &BTreeMap<i32, i64>,
        patience: Duration,
    ) -> Result<Vec<i32>, Fault> {
        let wrong = |error: KafkaError| fault(&format!("reading topic {topic}"), &error, &self.overheard, false);
        let begun = Instant::now();
        let mut undecided = Vec::new();
        for (&partition, &end) in ends {
            while self.committed.fetch_watermarks(topic, partition, ANSWER).map_err(wrong)?.1 < end {
                if self.stopped.load(Ordering::Relaxed) {
                    return Err(Fault::Retry("the sink ends".to_owned()));
                }
                if begun.elapsed() > patience {
                    undecided.push(partition);
                    break;
                }
                thread::sleep(PAUSE);
            }
        }
        Ok(undecided)
    }
}
