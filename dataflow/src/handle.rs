//! The handle that everyone else holds, and the threads behind it: one sequencer, the workers, one publisher.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use arrow::datatypes::SchemaRef;
use watershed_model::{Loss, Tick, TickTime};
use watershed_query::view::ViewPlan;

use crate::error::Error;
use crate::introspection::Subscribers;
use crate::losses::Losses;
use crate::meters::Meter;
use crate::publish::{Report, ViewShared, Views};
use crate::queue::Queue;
use crate::render::check;
use crate::sequencer::{Sequencer, WorkerEnd};
use crate::store::{Store, StoreSnapshot, TableStatus};
use crate::subscription::{Pace, SubscribeOptions, Subscription};
use crate::worker::{Command, Ends};

/// What can be configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// Worker threads.
    pub workers: usize,
    /// Bytes of events that are retained, over all tables.
    pub data_budget_bytes: usize,
    /// Ticks that may wait for the workers before the oldest loses its events.
    pub queue_ticks: usize,
    /// Name of the node, for `system.losses`.
    pub node: String,
}

impl Default for Config {
    fn default() -> Self {
        Config { workers: 1, data_budget_bytes: 64 << 20, queue_ticks: 64, node: String::new() }
    }
}

pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) store: Mutex<Store>,
    pub(crate) views: Views,
    pub(crate) losses: Losses,
    pub(crate) subscribers: Subscribers,
    pub(crate) node: String,
    next_view: AtomicU64,
}

/// A view as listed.
#[derive(Debug, Clone)]
pub struct ViewStatus {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub schema: SchemaRef,
    /// Positions of the columns that identify a row, if it is keyed.
    pub key: Option<Vec<usize>>,
    /// Rows in it.
    pub rows: usize,
    /// Who follows it.
    pub subscribers: usize,
    /// The last time that it closed; `None` until it has its first rows.
    pub closed: Option<TickTime>,
}

/// A handle; clones are the same dataflow.
#[derive(Clone)]
pub struct Dataflow {
    shared: Arc<Shared>,
}

/// Where ticks go in.
pub struct Input {
    shared: Arc<Shared>,
}

/// Owns the threads.
pub struct Running {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Dataflow {
    /// Starts the threads.
    pub fn start(config: Config) -> Result<(Dataflow, Input, Running), Error> {
        let workers = config.workers.max(1);
        let losses = Losses::default();
        let shared = Arc::new(Shared {
            queue: Queue::new(config.queue_ticks, losses.clone()),
            store: Mutex::new(Store::new(config.data_budget_bytes, losses.clone())),
            views: Views::default(),
            losses: losses.clone(),
            subscribers: Subscribers::default(),
            node: config.node,
            next_view: AtomicU64::new(1),
        });
        let (reports, reported) = channel();
        let (created, meters) = channel();
        let (ends, worker_ends) = start_workers(workers, &reports, &losses, &created)?;
        drop((reports, created));
        let mut threads = vec![worker_ends];
        let publisher = Arc::clone(&shared);
        threads.push(spawn("publisher", move || {
            crate::publish::run(&reported, workers, &publisher.views, &publisher.queue);
        })?);
        let sequencer = Sequencer::new(Arc::clone(&shared), ends, meters);
        threads.push(spawn("sequencer", move || sequencer.run())?);
        let running = Running { shared: Arc::clone(&shared), threads };
        Ok((Dataflow { shared: Arc::clone(&shared) }, Input { shared }, running))
    }

    /// Adds a view and fills it from what is retained. Returns at once; its rows are there with its first progress.
    pub fn create_view(&self, name: &str, plan: ViewPlan) -> Result<(), Error> {
        check(&plan)?;
        let id = self.shared.next_view.fetch_add(1, Ordering::Relaxed);
        let view = Arc::new(ViewShared::new(id, name, &plan)?);
        let mut views = self.shared.views.lock().expect("not poisoned");
        if views.values().any(|view| view.name == name) {
            return Err(Error::Exists(name.to_owned()));
        }
        let create = Command::Create { id, name: name.into(), plan: Arc::new(plan), state: None };
        if !self.shared.queue.command(create) {
            return Err(Error::Closed);
        }
        views.insert(id, view);
        Ok(())
    }

    /// Takes a view out; its subscribers are told, its memory is freed.
    pub fn drop_view(&self, name: &str) -> Result<(), Error> {
        let mut views = self.shared.views.lock().expect("not poisoned");
        let id = views.iter().find(|(_, view)| view.name == name).map(|(id, _)| *id);
        let Some((id, view)) = id.and_then(|id| Some((id, views.remove(&id)?))) else {
            return Err(Error::Unknown(name.to_owned()));
        };
        drop(views);
        view.end();
        if self.shared.queue.command(Command::Drop(id)) { Ok(()) } else { Err(Error::Closed) }
    }

    /// Follows a view, which a live follower keeps from resting.
    pub fn subscribe(&self, view: &str, options: SubscribeOptions) -> Result<Subscription, Error> {
        let views = self.shared.views.lock().expect("not poisoned");
        let found = views.iter().find(|(_, known)| known.name == view).map(|(id, view)| (*id, Arc::clone(view)));
        drop(views);
        let (id, found) = found.ok_or_else(|| Error::Unknown(view.to_owned()))?;
        let since = self.closed();
        if options.pace == Pace::Live && found.rest.join() {
            self.shared.queue.command(Command::Wake(id));
        }
        Ok(Subscription::new(found, options, &self.shared.subscribers, since))
    }

    /// All tables at the last closed time.
    #[must_use]
    pub fn snapshot(&self) -> Arc<StoreSnapshot> {
        let mut store = self.shared.store.lock().expect("not poisoned");
        let closed = self.shared.queue.closed();
        store.close(closed);
        Arc::new(store.snapshot(closed))
    }

    /// The last time that all views have closed.
    #[must_use]
    pub fn closed(&self) -> TickTime {
        self.shared.queue.closed()
    }

    /// Waits until all views have closed a time.
    pub async fn closed_at(&self, time: TickTime) {
        let mut follow = self.shared.queue.follow();
        // The sender lives as long as the handle, so this ends only with the time.
        let _ = follow.wait_for(|closed| *closed >= time).await;
    }

    /// What is retained of each table.
    #[must_use]
    pub fn tables(&self) -> Vec<TableStatus> {
        self.shared.store.lock().expect("not poisoned").tables()
    }

    /// All views.
    #[must_use]
    pub fn views(&self) -> Vec<ViewStatus> {
        let views: Vec<_> = self.shared.views.lock().expect("not poisoned").values().cloned().collect();
        let status = |view: Arc<ViewShared>| {
            let state = view.state.lock().expect("not poisoned");
            ViewStatus {
                name: view.name.clone(),
                schema: Arc::clone(&view.schema),
                key: view.key.clone(),
                rows: state.rows.rows(),
                subscribers: view.sender.receiver_count(),
                closed: state.closed,
            }
        };
        views.into_iter().map(status).collect()
    }

    /// Dataflows installed in all workers; back at its baseline once dropped views are gone.
    #[must_use]
    pub fn dataflows(&self) -> usize {
        self.shared.queue.dataflows()
    }

    /// Counts a loss; it becomes a row of `system.losses` at the next tick.
    pub fn report_loss(&self, loss: &Loss) {
        self.shared.losses.add(&loss.source, &loss.reason, loss.count, loss.bytes);
    }
}

impl Input {
    /// Adds a tick without blocking; when the queue is full the oldest tick's events are dropped and counted.
    pub fn push(&self, tick: Tick) {
        self.shared.queue.push(tick);
    }

    /// Adds a tick when there is room for it.
    pub fn push_wait(&self, tick: Tick) {
        self.shared.queue.push_wait(tick);
    }
}

impl Running {
    /// Stops and joins all threads; ticks that wait are dropped.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.shared.queue.stop();
        // The sequencer tells the workers, whose end is the publisher's.
        for thread in self.threads.drain(..).rev() {
            if thread.join().is_err() {
                tracing::error!("a thread of the dataflow panicked");
            }
        }
        let views = self.shared.views.lock().expect("not poisoned");
        views.values().for_each(|view| view.end());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| Error::Start(error.to_string()))
}

/// Starts the workers and a thread that joins them; gives the sequencer's ends.
fn start_workers(
    workers: usize,
    reports: &Sender<Report>,
    losses: &Losses,
    meters: &Sender<Arc<Meter>>,
) -> Result<(Vec<WorkerEnd>, JoinHandle<()>), Error> {
    let (mut ends, mut taken) = (Vec::new(), Vec::new());
    for _ in 0..workers {
        let (commands, received): (Sender<Command>, Receiver<Command>) = channel();
        let (reports, losses, meters) = (reports.clone(), losses.clone(), meters.clone());
        taken.push(Some(Ends { commands: received, reports, losses, meters }));
        ends.push(commands);
    }
    let taken = Mutex::new(taken);
    let (started, threads) = channel();
    let mut config = timely::Config::process(workers);
    crate::merging::configure(&mut config.worker);
    // Not read as Mutex by workers after their start: each takes its ends once.
    let started = Mutex::new(started);
    let guards = timely::execute(config, move |worker| {
        let own = taken.lock().expect("not poisoned")[worker.index()].take().expect("each worker takes its own once");
        let _ = started.lock().expect("not poisoned").send((worker.index(), std::thread::current()));
        crate::worker::run(worker, &own);
    })
    .map_err(Error::Start)?;
    let mut ends: Vec<_> = ends.into_iter().map(Some).collect();
    let mut worker_ends = Vec::new();
    for _ in 0..workers {
        let (index, thread) = threads.recv().map_err(|error| Error::Start(error.to_string()))?;
        let commands = ends[index].take().expect("each worker starts once");
        worker_ends.push(WorkerEnd { commands, thread });
    }
    Ok((worker_ends, spawn("workers", move || drop(guards))?))
}
