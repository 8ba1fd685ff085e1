//! What scripts export with `px.export`: sent once when a script is run once, and for as long as somebody follows it,
//! or its view stands, when it is kept answered. Whoever follows the same export shares one sender.

mod feed;
mod plan;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use watershed_ingest::redaction::Patterns;
use watershed_proto::v1;
use watershed_query::script::Export;
use watershed_query::view::identity;
use watershed_query::{Snapshot, lower};
use watershed_sinks::otlp::export::Exporter;
use watershed_sinks::{Batch, Budget, Changes, Endpoint as _, Fault, Running, Shape};

use crate::engine::{Engine, Problem};
use crate::leaving;

/// A collector that does not answer is tried again so often when a script is run once.
const ATTEMPTS: usize = 3;
/// Wait before another attempt.
const PAUSE: Duration = Duration::from_millis(300);
/// Exports that run at a time.
const MOST: usize = 100;
/// What an export follows, as sinks are listed.
const NAME: &str = "px.export";

/// How exports leave this node, and those that run.
#[derive(Debug)]
pub(crate) struct Exports {
    node: String,
    /// What they do not tell.
    hidden: Arc<Patterns>,
    /// Where those go that name no collector.
    collector: Option<String>,
    running: Mutex<HashMap<String, Weak<Sender>>>,
}

/// An export at work; it ends with the last who holds it.
#[derive(Debug)]
pub(crate) struct Sender {
    url: String,
    running: Running,
}

impl Exports {
    /// Exports of a node; `collector` is where those go that name none.
    pub(crate) fn new(node: String, hidden: Patterns, collector: Option<String>) -> Self {
        Self { node, hidden: Arc::new(hidden), collector, running: Mutex::default() }
    }

    /// What is wrong with an export, if anything is.
    pub(crate) fn check(&self, export: &Export) -> Result<(), Problem> {
        self.exporter(export).map(drop)
    }

    fn exporter(&self, export: &Export) -> Result<(String, Exporter), Problem> {
        let wrong = |message: String| Problem::Failed(format!("px.export: {message}"));
        let plan = plan::of(&export.spec, self.collector.as_deref()).map_err(wrong)?;
        let url = plan.collector.url.clone();
        let exporter = Exporter::new(plan, &self.node).map_err(|error| wrong(error.to_string()))?;
        Ok((url, exporter))
    }

    /// Sends an export's rows as they are in a snapshot; what was sent, in a sentence.
    pub(crate) async fn send(
        &self,
        engine: &Engine,
        export: &Export,
        snapshot: Arc<dyn Snapshot>,
    ) -> Result<String, Problem> {
        let (url, mut exporter) = self.exporter(export)?;
        let time = snapshot.time().0;
        let rows = watershed_query::execute(&engine.catalog, &export.table, snapshot)
            .await
            .map_err(|error| Problem::Failed(error.to_string()))?;
        let changes = rows.iter().map(|rows| Changes { time, rows: self.told(rows), diffs: vec![1; rows.num_rows()] });
        let shape = Arc::new(shape(Arc::clone(&export.table.schema)));
        let batch = Arc::new(Batch { frontier: time, snapshot: true, shape, changes: changes.collect() });
        let mut attempt = 1;
        loop {
            match exporter.write(Arc::clone(&batch)).await {
                Ok(written) if written.dropped == 0 => {
                    return Ok(format!("px.export sent {} spans and data points to {url}", written.rows));
                }
                Ok(written) => {
                    let reason = written.reason.unwrap_or_default();
                    return Err(Problem::Failed(format!("px.export to {url}: {reason}")));
                }
                Err(Fault::Retry(_) | Fault::Reopen(_)) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
                Err(fault) => return Err(Problem::Failed(format!("px.export to {url}: {fault}"))),
            }
            attempt += 1;
        }
    }

    /// Begins to send an export's rows as they come, or joins who does so already.
    pub(crate) fn start(&self, engine: &Arc<Engine>, export: &Export) -> Result<Arc<Sender>, Problem> {
        let plan = lower(&engine.catalog, &export.table)
            .map_err(|refusal| Problem::of_refusal(&export.table.name, refusal))?;
        let (url, exporter) = self.exporter(export)?;
        let mut running = self.lock();
        running.retain(|_, sender| sender.strong_count() > 0);
        let key = identity::of_view(&plan).map(|plan| format!("{plan} {:?}", export.spec));
        if let Some(sender) = key.as_ref().and_then(|key| running.get(key)?.upgrade()) {
            return Ok(sender);
        }
        if running.len() >= MOST {
            return Err(Problem::Failed(format!("there are {MOST} exports already; end some")));
        }
        let feed = feed::TableFeed::new(Arc::clone(engine), export.table.clone(), Arc::clone(&self.hidden));
        let sender = Sender { url, running: Running::start(Arc::new(feed), Box::new(exporter), Budget::default()) };
        let sender = Arc::new(sender);
        let key = key.unwrap_or_else(|| format!("{:p}", Arc::as_ptr(&sender)));
        running.insert(key, Arc::downgrade(&sender));
        Ok(sender)
    }

    /// The exports that run, as sinks are listed.
    pub(crate) fn list(&self) -> Vec<v1::Sink> {
        let mut senders: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        senders.sort_by(|one, other| one.url.cmp(&other.url));
        let row = |(at, sender): (usize, Arc<Sender>)| {
            let name = format!("{NAME}-{}", at + 1);
            crate::sinks::row(name, "otlp", sender.url.clone(), sender.running.status())
        };
        senders.into_iter().enumerate().map(row).collect()
    }

    fn told(&self, rows: &RecordBatch) -> RecordBatch {
        leaving::rows(rows, &[], &self.hidden)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<Sender>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shape(schema: SchemaRef) -> Shape {
    Shape { view: NAME.to_owned(), schema, key: Vec::new(), append: false }
}
