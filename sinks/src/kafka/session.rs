//! A transactional producer and its topics. One transaction a closed time, with the frontier in it. Blocks.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use serde::{Deserialize, Serialize};

use super::faults::{Overheard, fault, is_fenced};
use super::held::{Reader, Since, header};
use super::records::{Mode, Record, Rows};
use super::settings::KafkaSettings;
use super::topics::{self, Holds, Topic};
use crate::endpoint::Fault;
use crate::feed::Shape;
use crate::manifest::Identity;

/// Finding the coordinator and fencing earlier producers may take this long.
const INIT: Duration = Duration::from_secs(10);
/// One attempt to end a transaction may take this long; its outcome is asked for again after that.
const COMMIT: Duration = Duration::from_secs(10);
/// Record batches have heads, too.
const HEAD_BYTES: usize = 512;
/// Size of the largest record unless the topic says less.
const MOST_BYTES: usize = 1_000_000;
/// Rows of a table that came before this are not asked for again.
const TABLE_AGE: Duration = Duration::from_secs(300);

/// The producer, fenced against all earlier ones of its sink and node.
pub(super) struct Session {
    producer: ThreadedProducer<Overheard>,
    overheard: Overheard,
    settings: KafkaSettings,
    identity: Identity,
    shape: Arc<Shape>,
    topic: String,
    frontier_topic: String,
    headers: OwnedHeaders,
    stopped: Arc<AtomicBool>,
    /// The last frontier in the topic.
    pub(super) committed: Option<u64>,
    /// Bytes of key and value that a record may have.
    pub(super) most_bytes: usize,
    /// Frontier and number of records of a transaction that was to be committed when the answer failed to come.
    uncertain: Option<(u64, usize)>,
    is_new: bool,
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

        let overheard = Overheard::default();
        let wrong = |error: KafkaError| fault("connecting", &error, &overheard, is_new);
        let producer: ThreadedProducer<Overheard> =
            settings.producer(identity).create_with_context(overheard.clone()).map_err(wrong)?;
        producer.init_transactions(INIT).map_err(wrong)?;
        let text = |key, value| Header { key, value: Some(value) };
        let headers = OwnedHeaders::new().insert(text("node", &identity.node)).insert(text("view", &shape.view));
        let mut session = Self {
            producer,
            overheard,
            settings: settings.clone(),
            identity: identity.clone(),
            shape,
            topic,
            frontier_topic,
            headers,
            stopped,
            committed: None,
            most_bytes: most_bytes.saturating_sub(HEAD_BYTES),
            uncertain: None,
            is_new,
        };
        session.committed = session.last_frontier()?;
        Ok(session)
    }

    fn last_frontier(&self) -> Result<Option<u64>, Fault> {
        let ours = FrontierKey { node: &self.identity.node, view: &self.shape.view };
        let mut last = None;
        let config = self.settings.consumer(&self.identity);
        let reader = Reader { config: &config, stopped: &self.stopped };
        reader.read(&self.frontier_topic, Since::Beginning, |message| {
            let key = message.key().and_then(|key| serde_json::from_slice::<FrontierKey<'_>>(key).ok());
            if key.is_some_and(|key| key == ours) {
                let value = message.payload().and_then(|value| serde_json::from_slice::<Frontier>(value).ok());
                last = value.map(|frontier| frontier.time);
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
        let mut foreign = 0u64;
        reader.read(&self.topic, since, |message| {
            let is_ours = header(message, "node") == Some(&self.identity.node)
                && header(message, "view") == Some(&self.shape.view);
            if !is_ours {
                return;
            }
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let (key, value) = (text(message.key()), text(message.payload()));
            if rows.read(self.settings.mode, key.as_deref(), value.as_deref()).is_err() {
                foreign += 1;
            }
        })?;
        if foreign > 0 {
            tracing::warn!(topic = self.topic, records = foreign, "records that no sink of this mode has written");
        }
        Ok(rows)
    }

    /// Writes records and the frontier in one transaction.
    pub(super) fn transaction(&mut self, records: &[Record], frontier: u64) -> Result<(), Fault> {
        // What was heard while nothing was to be done is no reason for what follows.
        self.overheard.take();
        self.producer.begin_transaction().map_err(|error| self.reopen("beginning a transaction", &error))?;
        let result = self.send_all(records).and_then(|()| self.send_frontier(frontier));
        if let Err(error) = result {
            return Err(self.abort("writing", &error));
        }
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

    fn send_all(&self, records: &[Record]) -> Result<(), KafkaError> {
        for record in records {
            let mut send: BaseRecord<'_, str, str> = BaseRecord::to(&self.topic).headers(self.headers.clone());
            if let Some(key) = &record.key {
                send = send.key(key);
            }
            if let Some(value) = &record.value {
                send = send.payload(value);
            }
            self.send(send)?;
        }
        Ok(())
    }

    fn send_frontier(&self, frontier: u64) -> Result<(), KafkaError> {
        let key = FrontierKey { node: &self.identity.node, view: &self.shape.view };
        let key = serde_json::to_string(&key).expect("text is always JSON");
        let value = serde_json::to_string(&Frontier { time: frontier }).expect("numbers are always JSON");
        self.send(BaseRecord::to(&self.frontier_topic).key(key.as_str()).payload(value.as_str()))
    }

    /// Hands a record to the client; waits while its queue is full.
    fn send(&self, mut record: BaseRecord<'_, str, str>) -> Result<(), KafkaError> {
        let begun = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) if begun.elapsed() < COMMIT => {
                    thread::sleep(Duration::from_millis(5));
                    record = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn commit(&mut self, frontier: u64, records: usize) -> Result<(), Fault> {
        match self.producer.commit_transaction(COMMIT) {
            Ok(()) => {
                self.uncertain = None;
                self.committed = Some(frontier);
                self.is_new = false;
                Ok(())
            }
            Err(error) if needs_abort(&error) => {
                self.uncertain = None;
                Err(self.abort("committing", &error))
            }
            Err(error) if is_retriable(&error) => {
                self.uncertain = Some((frontier, records));
                Err(self.fault("committing", &error))
            }
            Err(error) => Err(self.reopen("committing", &error)),
        }
    }

    /// Takes a transaction back. When that fails too, a new producer will.
    fn abort(&self, doing: &str, error: &KafkaError) -> Fault {
        if is_fenced(error) {
            return self.fault(doing, error);
        }
        let why = self.fault(doing, error);
        match self.producer.abort_transaction(COMMIT) {
            Ok(()) => why,
            Err(error) if is_fenced(&error) => self.fault(doing, &error),
            Err(_) => match why {
                Fault::Retry(message) | Fault::Reopen(message) => Fault::Reopen(message),
                Fault::Fatal(message) => Fault::Fatal(message),
            },
        }
    }

    fn reopen(&self, doing: &str, error: &KafkaError) -> Fault {
        match self.fault(doing, error) {
            Fault::Retry(message) | Fault::Reopen(message) => Fault::Reopen(message),
            Fault::Fatal(message) => Fault::Fatal(message),
        }
    }

    fn fault(&self, doing: &str, error: &KafkaError) -> Fault {
        fault(doing, error, &self.overheard, self.is_new)
    }
}

fn needs_abort(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort())
}

/// The commit may have happened or not; asking again tells.
fn is_retriable(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable(),
        // Records that were not delivered in time; the client goes on with them.
        KafkaError::Flush(code) => *code == Code::OperationTimedOut,
        _ => false,
    }
}
