//! A topic as an endpoint: exactly once. After a start the topic is read, and what it lacks of the view is written; a
//! time at or before the last committed frontier is never written again.

mod avro;
mod codecs;
mod ends;
mod faults;
mod held;
mod producer;
mod records;
mod registry;
mod session;
mod settings;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use watershed_model::json::Objects;

use crate::endpoint::{Batch, Changes, Endpoint, Fault, Written};
use crate::feed::{Pending, Shape};
use crate::lines;
use crate::manifest::Identity;
use records::{Change, Records, Rows, Writer};
use session::Session;
pub(crate) use settings::KafkaSettings;

/// One answer of a broker or a registry may take this long.
const ANSWER: Duration = Duration::from_secs(5);
/// A producer may be fenced this often in a row without another agent: by the rest of a sink that has ended, or by a
/// coordinator that gave its transaction up.
const MOST_FENCED: usize = 3;
/// Closed times that wait are one transaction, up to so many bytes: a sink that was late has caught up after one.
const JOINED_BYTES: usize = 4 << 20;

/// A topic.
pub(crate) struct Kafka {
    /// Away while a thread works with it.
    work: Option<Box<Work>>,
    /// Tells that thread that nobody waits for it any more.
    stopped: Arc<AtomicBool>,
}

struct Work {
    settings: KafkaSettings,
    identity: Identity,
    shape: Option<Arc<Shape>>,
    session: Option<Session>,
    /// The view since the last snapshot, while the topic is not known to agree with it.
    target: Option<Rows>,
    /// The last batch of a table that was committed.
    last: Option<Arc<Batch>>,
    has_written: bool,
    /// How often the producer was fenced since it last wrote.
    fenced: usize,
    stopped: Arc<AtomicBool>,
}

impl Kafka {
    pub(crate) fn new(settings: KafkaSettings, identity: Identity) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let work = Work {
            settings,
            identity,
            shape: None,
            session: None,
            target: None,
            last: None,
            has_written: false,
            fenced: 0,
            stopped: Arc::clone(&stopped),
        };
        Self { work: Some(Box::new(work)), stopped }
    }

    /// Runs blocking work on a thread for such things.
    async fn on_thread<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Work) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let Some(mut state) = self.work.take() else {
            return Err(Fault::Fatal("the sink has ended".to_owned()));
        };
        let done = tokio::task::spawn_blocking(move || {
            let result = work(&mut state);
            (state, result)
        });
        let (state, result) = done.await.map_err(|error| Fault::Fatal(error.to_string()))?;
        self.work = Some(state);
        result
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

impl Endpoint for Kafka {
    fn open(&mut self, shape: Arc<Shape>) -> Pending<'_, Result<(), Fault>> {
        Box::pin(self.on_thread(move |work| {
            work.session = None;
            work.target = None;
            work.shape = Some(shape);
            work.session().map(drop)
        }))
    }

    fn write(&mut self, batch: Arc<Batch>) -> Pending<'_, Result<Written, Fault>> {
        Box::pin(self.on_thread(move |work| work.write(&batch)))
    }

    fn joined_bytes(&self) -> usize {
        JOINED_BYTES
    }

    fn close(&mut self) -> Pending<'_, ()> {
        Box::pin(async {
            // Taking the producer down waits for its threads.
            let _ = self
                .on_thread(|work| {
                    work.session = None;
                    Ok(())
                })
                .await;
        })
    }
}

impl Work {
    fn session(&mut self) -> Result<&mut Session, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let Some(shape) = &self.shape else { return Err(Fault::Reopen("the sink is not open".to_owned())) };
                let (shape, stopped) = (Arc::clone(shape), Arc::clone(&self.stopped));
                let session = Session::open(&self.settings, &self.identity, shape, stopped, !self.has_written);
                session.map_err(|fault| match self.settings.ended_certificate() {
                    Some(reason) if self.has_written => Fault::Retry(reason),
                    Some(reason) => Fault::Fatal(reason),
                    None => fault,
                })?
            }
        };
        Ok(self.session.insert(session))
    }

    fn write(&mut self, batch: &Arc<Batch>) -> Result<Written, Fault> {
        // Later batches are added to a target, so they must not be added twice.
        let can_repeat = batch.snapshot || self.target.is_none();
        let written = match self.attempt(batch) {
            Err(Fault::Reopen(reason)) => return Err(self.lost(reason, batch, can_repeat)),
            Err(Fault::Retry(reason)) if !can_repeat => return Err(self.lost(reason, batch, can_repeat)),
            other => other?,
        };
        self.has_written = true;
        self.fenced = 0;
        self.last = batch.shape.append.then(|| Arc::clone(batch));
        Ok(written)
    }

    fn attempt(&mut self, batch: &Batch) -> Result<Written, Fault> {
        if let Some(session) = &mut self.session
            && let Some(rows) = session.settle(batch.frontier)?
        {
            self.target = None;
            return Ok(Written { rows: rows as u64, ..Written::default() });
        }
        if batch.snapshot {
            let is_redefined = self.shape.as_ref().is_some_and(|shape| shape.view != batch.shape.view);
            if is_redefined {
                self.session = None;
            }
            self.shape = Some(Arc::clone(&batch.shape));
            return self.catch_up(Rows::default(), batch);
        }
        match self.target.take() {
            Some(target) => self.catch_up(target, batch),
            None if self.session.is_some() => self.follow(batch),
            None => self.catch_up(self.last_rows(), batch),
        }
    }

    /// What the brokers may have taken back together with a transaction that failed: of a table, the batch before it.
    fn last_rows(&self) -> Rows {
        let mut rows = Rows::default();
        if let Some(last) = &self.last {
            let changes = last.changes.iter().flat_map(|changes| changes_of(changes, &last.shape.key));
            changes.for_each(|change| rows.apply(change));
        }
        rows
    }

    /// The session is over. A snapshot tells what the topic lacks of a view; a table has none, and goes on with what
    /// waits.
    fn lost(&mut self, reason: String, batch: &Batch, can_repeat: bool) -> Fault {
        self.target = None;
        if let Some(session) = self.session.take()
            && session.is_fenced()
        {
            self.fenced += 1;
            if self.fenced > MOST_FENCED || session.is_overtaken() {
                return Fault::Fatal("another agent with the same node and sink name has taken over".to_owned());
            }
        }
        if can_repeat && batch.shape.append { Fault::Retry(reason) } else { Fault::Reopen(reason) }
    }

    /// A batch of changes to a topic that agrees with the view: the times in it become visible together, with the frontier
    /// of the last.
    fn follow(&mut self, batch: &Batch) -> Result<Written, Fault> {
        let mut all = Records::default();
        let (mode, identity) = (self.settings.mode, self.identity.clone());
        let session = self.session()?;
        let writer = Writer { mode, identity: &identity, view: &batch.shape.view, most_bytes: session.most_bytes };
        for changes in &batch.changes {
            let records = writer.records(changes.time, 'c', changes_of(changes, &batch.shape.key));
            all.records.extend(records.records);
            all.too_large += records.too_large;
        }
        session.transaction(&all.records, batch.frontier)?;
        Ok(written(&all))
    }

    /// A batch while the topic does not agree: nothing is written before the view has passed the last frontier, then
    /// what the topic lacks.
    fn catch_up(&mut self, mut target: Rows, batch: &Batch) -> Result<Written, Fault> {
        let is_append = batch.shape.append;
        let session = self.session()?;
        let (committed, is_mended) = (session.committed, session.is_mended);
        for changes in &batch.changes {
            // Rows of a table up to the frontier are in the topic.
            if is_append && !is_mended && committed.is_some_and(|committed| changes.time <= committed) {
                continue;
            }
            changes_of(changes, &batch.shape.key).into_iter().for_each(|change| target.apply(change));
        }
        if let Some(committed) = committed
            && batch.frontier <= committed
        {
            self.target = Some(target);
            let reason = format!("the topic is at {committed}, the view is only at {}", batch.frontier);
            return Ok(Written { reason: Some(reason), ..Written::default() });
        }
        let (mode, identity) = (self.settings.mode, self.identity.clone());
        let session = self.session()?;
        let mut changes = session.held()?.until(&target);
        if is_append {
            changes.retain(|change| change.diff > 0);
        }
        let writer = Writer { mode, identity: &identity, view: &batch.shape.view, most_bytes: session.most_bytes };
        let records = writer.records(batch.frontier, 'r', changes);
        session.transaction(&records.records, batch.frontier)?;
        Ok(written(&records))
    }
}

fn written(records: &Records) -> Written {
    let reason = (records.too_large > 0).then(|| "rows are larger than the topic takes".to_owned());
    Written { rows: records.records.len() as u64, dropped: records.too_large, reason, begin_again: false }
}

/// The rows of a batch as JSON, with their keys.
fn changes_of(changes: &Changes, key: &[String]) -> Vec<Change> {
    let keys = keys_of(&changes.rows, key);
    let key = |row: usize| {
        let mut text = String::new();
        keys.as_ref()?.object(&mut text, row, None);
        Some(text)
    };
    let rows = lines::rows(changes).enumerate();
    rows.map(|(at, (row, diff))| Change { key: key(at), row, diff }).collect()
}

/// The key columns of a batch; `None` where rows have no key.
fn keys_of(rows: &RecordBatch, key: &[String]) -> Option<Objects> {
    let columns: Vec<usize> = key.iter().filter_map(|name| rows.schema_ref().index_of(name).ok()).collect();
    let keys = rows.project(&columns).expect("the columns are there");
    (!columns.is_empty()).then(|| Objects::of(&keys))
}
