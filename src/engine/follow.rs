//! A subscription: the views of a script's statements, merged so that one progress mark holds for all of them.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;
use watershed_dataflow::{Delivery, Pace, SubscribeOptions, Subscription};
use watershed_model::TickTime;
use watershed_query::ScriptTable;

use super::shared::Lease;
use super::{Engine, Problem, Request};
use crate::exports::Sender;
use crate::rows::{Changes, Event, TableSchema};

/// Time between two marks of progress of a script that shows nothing.
const MARK_EVERY_MS: u64 = 500;

/// Whether the rows that are there come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    Snapshot,
    Changes,
}

/// Follows a script's result until it is dropped.
pub(crate) struct Follower {
    engine: Arc<Engine>,
    request: Request,
    options: SubscribeOptions,
    schema: Vec<TableSchema>,
    streams: Vec<Stream>,
    /// What is sent for as long as the script is followed.
    exports: Vec<Arc<Sender>>,
    /// What can be told already.
    ready: VecDeque<Event>,
    closed: Option<u64>,
    stopping: watch::Receiver<bool>,
}

struct Stream {
    name: String,
    subscription: Subscription,
    /// Keeps an unnamed view alive.
    _lease: Option<Lease>,
    progress: Option<u64>,
    /// Changes later than what the other streams have closed.
    ahead: VecDeque<Changes>,
}

impl Follower {
    /// Subscribes; the first event is the schema.
    pub(crate) async fn start(
        engine: Arc<Engine>,
        request: Request,
        peer: String,
        beginning: Beginning,
        pace: Pace,
    ) -> Result<Self, Problem> {
        let options = SubscribeOptions { snapshot: beginning == Beginning::Snapshot, peer, pace };
        let (schema, streams, exports) = open(&engine, &request, &options).await?;
        let ready = VecDeque::from([Event::Schema(schema.clone())]);
        let stopping = engine.stopping.clone();
        Ok(Self { engine, request, options, schema, streams, exports, ready, closed: None, stopping })
    }

    /// The next event; an error is the last one.
    pub(crate) async fn next(&mut self) -> Result<Event, Problem> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            // Only the stream that is furthest behind is read, so the others hold back at most one step.
            let at = (0..self.streams.len()).min_by_key(|&at| self.streams[at].progress).unwrap_or_default();
            let Some(stream) = self.streams.get_mut(at) else { return self.next_mark().await };
            let delivery = tokio::select! {
                delivery = stream.subscription.next() => delivery,
                _ = self.stopping.wait_for(|stopping| *stopping) => return Err(Problem::Stopping),
            };
            match delivery {
                Some(Delivery::Changes { time, rows, diffs, snapshot }) => {
                    stream.ahead.push_back(Changes { table: stream.name.clone(), time: time.0, diffs, rows, snapshot });
                    if stream.ahead.back().is_some_and(|changes| changes.snapshot) || self.streams.len() == 1 {
                        self.ready.extend(self.streams[at].ahead.pop_back().map(Event::Changes));
                    }
                }
                Some(Delivery::Progress(time)) => {
                    stream.progress = Some(time.0);
                    self.close();
                }
                Some(Delivery::Restart(reason)) if self.streams.len() == 1 => {
                    self.streams[0].progress = None;
                    self.closed = None;
                    self.ready.push_back(Event::Restart(reason));
                }
                Some(Delivery::Restart(reason)) => self.reopen(&reason).await?,
                Some(Delivery::Dropped) | None => self.after_drop().await?,
            }
        }
    }

    /// The next progress of a script that shows no table, but exports some.
    async fn next_mark(&mut self) -> Result<Event, Problem> {
        if self.exports.is_empty() {
            return Err(Problem::Failed("the script has no statement to follow".to_owned()));
        }
        let next = self.closed.map_or(0, |closed| closed + MARK_EVERY_MS);
        tokio::select! {
            () = self.engine.dataflow.closed_at(TickTime(next)) => (),
            _ = self.stopping.wait_for(|stopping| *stopping) => return Err(Problem::Stopping),
        }
        let closed = self.engine.dataflow.closed().0;
        self.closed = Some(closed);
        Ok(Event::Progress(closed))
    }

    /// Tells what all streams have closed.
    fn close(&mut self) {
        let Some(closed) = self.streams.iter().map(|stream| stream.progress).min().flatten() else { return };
        for stream in &mut self.streams {
            while stream.ahead.front().is_some_and(|changes| changes.time <= closed) {
                self.ready.extend(stream.ahead.pop_front().map(Event::Changes));
            }
        }
        if self.streams.len() == 1 || self.closed.is_none_or(|before| before < closed) {
            self.closed = Some(closed);
            self.ready.push_back(Event::Progress(closed));
        }
    }

    /// A view that was redefined goes on under its name; one that is gone ends the subscription.
    async fn after_drop(&mut self) -> Result<(), Problem> {
        if *self.stopping.borrow() {
            return Err(Problem::Stopping);
        }
        // A redefinition holds this lock from the drop until the new view stands.
        let changed = self.engine.changing.lock().await;
        drop(changed);
        match self.reopen("the view was redefined").await {
            Err(Problem::NotFound(_)) => Err(Problem::Dropped("the view was dropped".to_owned())),
            other => other,
        }
    }

    async fn reopen(&mut self, reason: &str) -> Result<(), Problem> {
        self.options.snapshot = true;
        let (schema, streams, exports) = open(&self.engine, &self.request, &self.options).await?;
        self.streams = streams;
        self.exports = exports;
        self.closed = None;
        self.ready.push_back(Event::Restart(reason.to_owned()));
        if schema != self.schema {
            self.ready.push_back(Event::Schema(schema.clone()));
            self.schema = schema;
        }
        Ok(())
    }
}

impl Engine {
    /// Follows a statement by itself; the lease keeps its view.
    pub(crate) async fn follow_table(
        self: &Arc<Self>,
        table: &ScriptTable,
        peer: &str,
    ) -> Result<(Lease, Subscription), Problem> {
        let lease = Lease::take(self, table).await?;
        let options = SubscribeOptions { snapshot: true, peer: peer.to_owned(), pace: Pace::Relaxed };
        let subscription = self.dataflow.subscribe(&lease.name, options);
        Ok((lease, subscription.map_err(|error| Problem::Failed(error.to_string()))?))
    }
}

async fn open(
    engine: &Arc<Engine>,
    request: &Request,
    options: &SubscribeOptions,
) -> Result<(Vec<TableSchema>, Vec<Stream>, Vec<Arc<Sender>>), Problem> {
    let resolved = engine.resolve(request)?;
    engine.trace(&resolved).await;
    let mut streams = Vec::new();
    for table in &resolved.tables {
        let (view, lease) = match &resolved.view {
            Some(view) => (view.clone(), None),
            None => {
                let lease = Lease::take(engine, table).await?;
                (lease.name.clone(), Some(lease))
            }
        };
        let subscription = engine.dataflow.subscribe(&view, options.clone());
        let subscription = subscription.map_err(|error| Problem::Failed(error.to_string()))?;
        let name = resolved.name_of(table);
        streams.push(Stream { name, subscription, _lease: lease, progress: None, ahead: VecDeque::new() });
    }
    let exports = resolved.exports.iter().map(|export| engine.exports.start(engine, export));
    let exports = exports.collect::<Result<_, _>>()?;
    Ok((resolved.tables.iter().map(|table| resolved.schema_of(table)).collect(), streams, exports))
}
