//! The transactional producer of a sink and node, fenced against all earlier ones. It only ever commits: what is not to
//! be committed ends with it, when the next one begins.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::faults::{Overheard, fault, is_fenced};
use super::settings::KafkaSettings;
use crate::endpoint::Fault;
use crate::manifest::Identity;

/// Finding the coordinator and fencing earlier producers may take this long.
const INIT: Duration = Duration::from_secs(10);
/// One attempt to end a transaction may take this long; its outcome is asked for again after that.
const COMMIT: Duration = Duration::from_secs(10);
/// Pause between two looks whether brokers have taken all records.
const PAUSE: Duration = Duration::from_micros(500);

/// A key, a value, headers: what is sent.
pub(super) type Send<'a> = BaseRecord<'a, [u8], [u8]>;

pub(super) struct Producer {
    producer: ThreadedProducer<Overheard>,
    overheard: Overheard,
    /// Whether a refusal is a mistake of the manifest.
    pub(super) is_new: bool,
    /// Whether the brokers say that a later one has begun.
    pub(super) is_fenced: bool,
}

/// What became of an attempt to commit.
pub(super) enum Outcome {
    Committed,
    /// Asking again will tell.
    Uncertain(Fault),
    /// It may be committed or not; the next producer finds out.
    Lost(Fault),
}

impl Producer {
    /// Fences earlier ones, which ends their transactions.
    pub(super) fn open(
        settings: &KafkaSettings,
        identity: &Identity,
        stopped: &AtomicBool,
        is_new: bool,
    ) -> Result<Self, Fault> {
        let overheard = Overheard::default();
        let wrong = |error: KafkaError| fault("connecting", &error, &overheard, is_new);
        let producer: ThreadedProducer<Overheard> =
            settings.producer(identity).create_with_context(overheard.clone()).map_err(wrong)?;
        // A sink that has ended would fence the one that came after it.
        if stopped.load(Ordering::Relaxed) {
            return Err(Fault::Retry("the sink ends".to_owned()));
        }
        producer.init_transactions(INIT).map_err(wrong)?;
        Ok(Self { producer, overheard, is_new, is_fenced: false })
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        // What was heard while nothing was to be done is no reason for what follows.
        self.overheard.take();
        self.producer.begin_transaction().map_err(|error| self.lost("beginning a transaction", &error))
    }

    /// Hands a record to the client; waits while its queue is full.
    pub(super) fn send(&mut self, mut record: Send<'_>) -> Result<(), Fault> {
        let begun = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) if begun.elapsed() < COMMIT => {
                    thread::sleep(Duration::from_millis(5));
                    record = back;
                }
                Err((error, _)) => return Err(self.lost("writing", &error)),
            }
        }
    }

    /// Commits, or asks again for a commit that is on its way.
    pub(super) fn commit(&mut self) -> Outcome {
        let delivered = self.wait_for_deliveries();
        match delivered.and_then(|()| self.producer.commit_transaction(COMMIT)) {
            Ok(()) => Outcome::Committed,
            Err(error) if may_still_commit(&error) => Outcome::Uncertain(self.fault("committing", &error)),
            Err(error) => Outcome::Lost(self.lost("committing", &error)),
        }
    }

    /// Ends transactions of earlier producers that hang in `partitions`, by one that is aborted: its mark ends them all.
    pub(super) fn end_hanging(
        &mut self,
        partitions: &[(&str, i32)],
        headers: &OwnedHeaders,
        key: &str,
    ) -> Result<(), Fault> {
        self.begin()?;
        for (topic, partition) in partitions {
            self.send(BaseRecord::to(topic).partition(*partition).headers(headers.clone()).key(key.as_bytes()))?;
        }
        // What has not reached the brokers leaves no mark.
        self.wait_for_deliveries().map_err(|error| self.lost("ending a transaction", &error))?;
        self.producer.abort_transaction(COMMIT).map_err(|error| self.lost("ending a transaction", &error))
    }

    /// Waits until brokers have taken, or refused, all records. The client waits in steps of 100 ms, however soon that is.
    fn wait_for_deliveries(&self) -> KafkaResult<()> {
        let begun = Instant::now();
        loop {
            match self.producer.flush(Duration::ZERO) {
                Err(KafkaError::Flush(Code::OperationTimedOut)) if begun.elapsed() < COMMIT => thread::sleep(PAUSE),
                other => return other,
            }
        }
    }

    /// The next producer has to go on.
    fn lost(&mut self, doing: &str, error: &KafkaError) -> Fault {
        self.is_fenced |= is_fenced(error);
        match self.fault(doing, error) {
            Fault::Retry(message) | Fault::Reopen(message) => Fault::Reopen(message),
            Fault::Fatal(message) => Fault::Fatal(message),
        }
    }

    fn fault(&self, doing: &str, error: &KafkaError) -> Fault {
        fault(doing, error, &self.overheard, self.is_new)
    }
}

fn may_still_commit(error: &KafkaError) -> bool {
    match error {
        KafkaError::Transaction(error) => error.is_retriable() && !error.txn_requires_abort(),
        // Records that were not delivered in time; the client goes on with them.
        KafkaError::Flush(code) => *code == Code::OperationTimedOut,
        _ => false,
    }
}
