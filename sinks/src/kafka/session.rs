//! A producer and its topics. One transaction a closed time, with the frontier in it. Blocks.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use serde::{Deserialize, Serialize};

use super::avro::Mismatch;
use super::codecs::Codecs;
use super::ends::Ends;
use super::held::{Reader, Since, header};
use super::producer::{Outcome, Producer};
use super::records::{Mode, Record, Rows};
use super::settings::KafkaSettings;
use super::topics::{self, Holds, Topic};
use crate::endpoint::Fault;
use crate::feed::Shape;
use crate::manifest::Identity;

/// Record batches have heads, too.
const HEAD_BYTES: usize = 512;
/// Size of the largest record unless the topic says less.
const MOST_BYTES: usize = 1_000_000;
/// Rows of a table that came before this are not asked for again.
const TABLE_AGE: Duration = Duration::from_secs(300);
/// Brokers write the marks of a transaction that has ended within this.
const MARKS: Duration = Duration::from_secs(1);
/// Whoever has fenced this sink claims its topics within this.
const OVERTAKING: Duration = Duration::from_secs(10);
/// Header of a frontier that names the agent that wrote it.
const AGENT_HEADER: &str = "agent";
/// Tells this agent from all others, also from earlier ones of its name.
static AGENT: LazyLock<String> = LazyLock::new(|| format!("{:016x}", RandomState::new().hash_one(())));

/// A producer, its topics, and what they hold.
pub(super) struct Session {
    producer: Producer,
    codecs: Codecs,
    settings: KafkaSettings,
    identity: Identity,
    shape: Arc<Shape>,
    topic: String,
    frontier_topic: String,
    headers: OwnedHeaders,
    stopped: Arc<AtomicBool>,
    /// The last frontier in the topic.
    pub(super) committed: Option<u64>,
    /// Whether transactions had to be ended whose end the brokers had lost: parts of them may be in the topic.
    pub(super) is_mended: bool,
    /// Bytes of key and value that a record may have.
    pub(super) most_bytes: usize,
    /// Frontier and number of records of a transaction that was to be committed when the answer failed to come.
    uncertain: Option<(u64, usize)>,
}

/// Key and value of a record of frontiers.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
struct FrontierKey<'a> {
    node: &'a str,
    view: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Frontier {
    time: u64,
}

impl Session {
    /// Creates missing topics, fences earlier producers, and finds the last frontier. `is_new` says that this sink has
    /// not written anything yet.
    pub(super) fn open(
        settings: &KafkaSettings,
        identity: &Identity,
        shape: Arc<Shape>,
        stopped: Arc<AtomicBool>,
        is_new: bool,
    ) -> Result<Self, Fault> {
        let topic = settings.topic(&identity.node, &shape.view);
        let frontier_topic = settings.frontier_topic(&identity.node, &shape.view);
        let holds = match settings.mode {
            Mode::Changes => Holds::Changes { retention: settings.retention.map(|span| span.duration()) },
            Mode::Upsert => Holds::Values,
        };
        let partitions = settings.partitions.unwrap_or(1);
        let rows = Topic { name: topic.clone(), holds, partitions, replication: settings.replication };
        let frontiers = Topic { name: frontier_topic.clone(), holds: Holds::Values, partitions: 1, ..rows.clone() };
        let client = settings.client(identity);
        topics::ensure(&settings.consumer(identity), &[rows, frontiers], is_new)?;
        let most_bytes = topics::most_bytes(&client, &topic).unwrap_or(MOST_BYTES).min(MOST_BYTES);

        let codecs = Codecs::open(settings, &shape, &topic, is_new)?;
        let producer = Producer::open(settings, identity, &stopped, is_new)?;
        let text = |key, value| Header { key, value: Some(value) };
        let headers = OwnedHeaders::new().insert(text("node", &identity.node)).insert(text("view", &shape.view));
        let mut session = Self {
            producer,
            codecs,
            settings: settings.clone(),
            identity: identity.clone(),
            shape,
            topic,
            frontier_topic,
            headers,
            stopped,
            committed: None,
            is_mended: false,
            most_bytes: most_bytes.saturating_sub(HEAD_BYTES),
            uncertain: None,
        };
        session.mend()?;
        session.committed = session.last_frontier()?.map(|(time, _)| time);
        session.claim()?;
        Ok(session)
    }

    /// Writes the last frontier again, in our name: who was fenced by this sees it and does not fence us in turn.
    fn claim(&mut self) -> Result<(), Fault> {
        let (committed, is_new) = (self.committed, self.producer.is_new);
        self.transaction(&[], committed.unwrap_or_default())?;
        // Nothing was said of the rows' topic yet.
        (self.committed, self.producer.is_new) = (committed, is_new);
        Ok(())
    }

    /// Ends what hangs. Brokers forget to end a transaction where a partition has no leader at that moment
    /// (KAFKA-20734), and nobody reads past it then. Whether it was to be committed is not known any more; it is taken
    /// back, and what the topic lacks is written again.
    fn mend(&mut self) -> Result<(), Fault> {
        let config = self.settings.consumer(&self.identity);
        let ends = Ends::new(&config, &self.stopped)?;
        let mut hanging = Vec::new();
        for topic in [&self.topic, &self.frontier_topic] {
            let undecided = ends.undecided(topic, &ends.written(topic)?, MARKS)?;
            hanging.extend(undecided.into_iter().map(|partition| (topic.as_str(), partition)));
        }
        if hanging.is_empty() {
            return Ok(());
        }
        tracing::warn!(sink = self.identity.sink, partitions = ?hanging, "ending transactions that hang");
        self.is_mended = true;
        let key = frontier_key(&self.identity.node, &self.shape.view);
        self.producer.end_hanging(&hanging, &self.headers, &key)
    }

    /// The last frontier of this node and view, and whether another agent wrote it.
    fn last_frontier(&self) -> Result<Option<(u64, bool)>, Fault> {
        let ours = FrontierKey { node: &self.identity.node, view: &self.shape.view };
        let mut last = None;
        let config = self.settings.consumer(&self.identity);
        let reader = Reader { config: &config, stopped: &self.stopped };
        reader.read(&self.frontier_topic, Since::Beginning, |message| {
            let key = message.key().and_then(|key| serde_json::from_slice::<FrontierKey<'_>>(key).ok());
            if key.is_some_and(|key| key == ours) {
                let value = message.payload().and_then(|value| serde_json::from_slice::<Frontier>(value).ok());
                let by_another = header(message, AGENT_HEADER).is_some_and(|agent| agent != *AGENT);
                last = value.map(|frontier| (frontier.time, by_another));
            }
        })?;
        Ok(last)
    }

    /// The rows of this node and view that the topic holds.
    pub(super) fn held(&self) -> Result<Rows, Fault> {
        let mut rows = Rows::default();
        let since = if self.shape.append { Since::Ago(TABLE_AGE) } else { Since::Beginning };
        let config = self.settings.consumer(&self.identity);
        let reader = Reader { config: &config, stopped: &self.stopped };
        let (mut foreign, mut is_of_another_schema) = (0u64, false);
        reader.read(&self.topic, since, |message| {
            let is_ours = header(message, "node") == Some(&self.identity.node)
                && header(message, "view") == Some(&self.shape.view);
            if !is_ours {
                return;
            }
            let read = match self.codecs.decode(message.key(), message.payload()) {
                Ok(read) => rows.read(self.settings.mode, read.key.as_deref(), read.value.as_deref()).is_ok(),
                Err(Mismatch::Datum(_)) => false,
                Err(Mismatch::Schema) => {
                    is_of_another_schema = true;
                    return;
                }
            };
            foreign += u64::from(!read);
        })?;
        if is_of_another_schema {
            return Err(Fault::Fatal(format!("topic {}: {}", self.topic, Mismatch::Schema)));
        }
        if foreign > 0 {
            tracing::warn!(topic = self.topic, records = foreign, "records that no sink of this mode has written");
        }
        Ok(rows)
    }

    /// Writes records and the frontier in one transaction.
    pub(super) fn transaction(&mut self, records: &[Record], frontier: u64) -> Result<(), Fault> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Fault::Reopen("the sink ends".to_owned()));
        }
        self.producer.begin()?;
        for record in records {
            let mut send = BaseRecord::to(&self.topic).headers(self.headers.clone());
            let encoded = self.codecs.encode(record).map_err(|error| Fault::Fatal(error.to_string()))?;
            if let Some(key) = &encoded.key {
                send = send.key(key.as_ref());
            }
            if let Some(value) = &encoded.value {
                send = send.payload(value.as_ref());
            }
            self.producer.send(send)?;
        }
        let key = frontier_key(&self.identity.node, &self.shape.view);
        let value = serde_json::to_string(&Frontier { time: frontier }).expect("numbers are always JSON");
        let agent = OwnedHeaders::new().insert(Header { key: AGENT_HEADER, value: Some(AGENT.as_str()) });
        let record = BaseRecord::to(&self.frontier_topic).headers(agent);
        self.producer.send(record.key(key.as_bytes()).payload(value.as_bytes()))?;
        self.commit(frontier, records.len())
    }

    /// Asks again for a transaction whose outcome is not known: the number of its records if it is committed now, `None`
    /// if there is none of this frontier.
    pub(super) fn settle(&mut self, frontier: u64) -> Result<Option<usize>, Fault> {
        match self.uncertain {
            Some((uncertain, records)) if uncertain == frontier => {
                self.commit(frontier, records)?;
                Ok(Some(records))
            }
            _ => Ok(None),
        }
    }

    fn commit(&mut self, frontier: u64, records: usize) -> Result<(), Fault> {
        match self.producer.commit() {
            Outcome::Committed => {
                self.uncertain = None;
                self.committed = Some(frontier);
                self.producer.is_new = false;
                Ok(())
            }
            Outcome::Uncertain(fault) => {
                self.uncertain = Some((frontier, records));
                Err(fault)
            }
            Outcome::Lost(fault) => Err(fault),
        }
    }

    /// Whether the brokers say that a later producer has begun. Also a transaction that took too long ends so.
    pub(super) fn is_fenced(&self) -> bool {
        self.producer.is_fenced
    }

    /// Whether another agent has claimed this node and view; it is waited for.
    pub(super) fn is_overtaken(&self) -> bool {
        let waiting = Instant::now();
        while waiting.elapsed() < OVERTAKING && !self.stopped.load(Ordering::Relaxed) {
            // A topic that cannot be read tells nothing.
            if let Ok(Some((_, true))) = self.last_frontier() {
                return true;
            }
            thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

fn frontier_key(node: &str, view: &str) -> String {
    serde_json::to_string(&FrontierKey { node, view }).expect("text is always JSON")
}
