//! What topics hold already: the last frontier and the rows, as a `read_committed` reader finds them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::ANSWER;
use super::ends::Ends;
use super::faults::{Overheard, fault};
use crate::endpoint::Fault;

/// Reading gives up when nothing has come for so long.
const SILENCE: Duration = Duration::from_secs(20);
/// Open transactions of others may take this long before the sink says that it waits for them.
const OTHERS: Duration = Duration::from_secs(15);

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// With the first record.
    Beginning,
    /// With records this old.
    Ago(Duration),
}

/// Reads whole topics.
pub(super) struct Reader<'a> {
    pub(super) config: &'a ClientConfig,
    pub(super) stopped: &'a AtomicBool,
}

impl Reader<'_> {
    /// Hands over every committed record of a topic that is there now.
    pub(super) fn read(
        &self,
        topic: &str,
        since: Since,
        mut each: impl FnMut(&BorrowedMessage<'_>),
    ) -> Result<(), Fault> {
        let overheard = Overheard::default();
        let wrong = |error: KafkaError| fault(&format!("reading topic {topic}"), &error, &overheard, false);
        let consumer: BaseConsumer<Overheard> = self.config.create_with_context(overheard.clone()).map_err(wrong)?;
        let mut ends = self.stable(topic)?;
        let mut assignment = TopicPartitionList::new();
        for partition in ends.keys() {
            assignment.add_partition_offset(topic, *partition, since.offset()).map_err(wrong)?;
        }
        if matches!(since, Since::Ago(_)) {
            assignment = consumer.offsets_for_times(assignment, ANSWER).map_err(wrong)?;
        }
        consumer.assign(&assignment).map_err(wrong)?;
        let mut last = Instant::now();
        while !ends.is_empty() {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    last = Instant::now();
                    each(&message);
                    // While others go on writing the client never finds itself at the end.
                    let next = message.offset() + 1;
                    ends.retain(|partition, end| *partition != message.partition() || next < *end);
                }
                // What is left are marks and aborted records.
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(ends.remove(&partition)),
                // The client tries again by itself; what it says is why the silence lasts.
                Some(Err(_)) | None if last.elapsed() < SILENCE => (),
                Some(Err(error)) => return Err(wrong(error)),
                None => return Err(Fault::Retry(format!("reading topic {topic}: nothing comes"))),
            }
            self.check_stopped()?;
        }
        Ok(())
    }

    /// The ends of the partitions, once all that was written before this call is committed or aborted. Else open
    /// transactions of other nodes would hide records of ours that lie behind them.
    fn stable(&self, topic: &str) -> Result<BTreeMap<i32, i64>, Fault> {
        let asked = Ends::new(self.config, self.stopped)?;
        let ends = asked.written(topic)?;
        if asked.undecided(topic, &ends, OTHERS)?.is_empty() {
            return Ok(ends);
        }
        Err(Fault::Retry(format!("topic {topic}: a transaction of another producer does not end")))
    }

    fn check_stopped(&self) -> Result<(), Fault> {
        if self.stopped.load(Ordering::Relaxed) { Err(Fault::Retry("the sink ends".to_owned())) } else { Ok(()) }
    }
}

impl Since {
    fn offset(self) -> Offset {
        match self {
            Since::Beginning => Offset::Beginning,
            Since::Ago(age) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Offset::Offset(now.saturating_sub(age).as_millis() as i64)
            }
        }
    }
}

/// A header's value as text.
pub(super) fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a str> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    found.value.and_then(|value| std::str::from_utf8(value).ok())
}
