//! The topics of a sink: found, or created with settings that suit what they hold.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::runtime::Handle;

use super::ANSWER;
use super::faults::{Overheard, fault};
use crate::endpoint::Fault;

/// Events that a failed connection may leave.
const EVENTS: usize = 100;

/// What a topic is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// Every change, for as long as it says.
    Changes { retention: Option<Duration> },
    /// The last value of each key.
    Values,
}

/// A topic as it has to be.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) holds: Holds,
    pub(super) partitions: i32,
    pub(super) replication: Option<i32>,
}

/// Creates the topics that are missing. Blocks.
pub(super) fn ensure(config: &ClientConfig, topics: &[Topic], is_new: bool) -> Result<(), Fault> {
    let overheard = Overheard::default();
    for topic in topics {
        let wrong = |error: KafkaError| fault(&format!("topic {}", topic.name), &error, &overheard, is_new);
        // A consumer's look does not create a topic by the broker's defaults, as a producer's would.
        let consumer: BaseConsumer<Overheard> = config.create_with_context(overheard.clone()).map_err(wrong)?;
        let metadata = consumer.fetch_metadata(Some(&topic.name), ANSWER).map_err(|error| {
            // Why no connection comes about waits in the queue of events.
            for _ in 0..EVENTS {
                // Also nothing may come of an event, so nothing is no sign of the end.
                drop(consumer.poll(Duration::ZERO));
            }
            wrong(error)
        })?;
        let found = metadata.topics().iter().find(|found| found.name() == topic.name);
        match found.and_then(|found| found.error()).map(Code::from) {
            None if found.is_some_and(|found| !found.partitions().is_empty()) => continue,
            Some(code) if code != Code::UnknownTopicOrPartition && code != Code::UnknownTopic => {
                return Err(wrong(KafkaError::Global(code)));
            }
            None | Some(_) => create(config, topic, &overheard, is_new)?,
        }
    }
    Ok(())
}

fn create(config: &ClientConfig, topic: &Topic, overheard: &Overheard, is_new: bool) -> Result<(), Fault> {
    let wrong = |error: KafkaError| fault(&format!("creating topic {}", topic.name), &error, overheard, is_new);
    let admin: AdminClient<Overheard> = config.create_with_context(overheard.clone()).map_err(wrong)?;
    let replication = TopicReplication::Fixed(topic.replication.unwrap_or(-1));
    let mut wanted = NewTopic::new(&topic.name, topic.partitions, replication);
    let retention;
    match topic.holds {
        Holds::Values => wanted = wanted.set("cleanup.policy", "compact"),
        Holds::Changes { retention: wish } => {
            // A row that has not changed since is only in its old records.
            retention = wish.map_or("-1".to_owned(), |wish| wish.as_millis().to_string());
            wanted =
                wanted.set("cleanup.policy", "delete").set("retention.ms", &retention).set("retention.bytes", "-1");
        }
    }
    let options = AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER));
    let created = Handle::current().block_on(admin.create_topics([&wanted], &options)).map_err(wrong)?;
    for result in created {
        match result {
            // Another agent was faster.
            Ok(_) | Err((_, Code::TopicAlreadyExists)) => (),
            Err((_, code)) => return Err(wrong(KafkaError::Global(code))),
        }
    }
    Ok(())
}

/// The largest record batch that a topic takes, as far as we may ask.
pub(super) fn most_bytes(config: &ClientConfig, topic: &str) -> Option<usize> {
    let admin: AdminClient<Overheard> = config.create_with_context(Overheard::default()).ok()?;
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let described = Handle::current().block_on(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options));
    let resource = described.ok()?.into_iter().next()?.ok()?;
    resource.get("max.message.bytes")?.value.as_ref()?.parse().ok()
}
