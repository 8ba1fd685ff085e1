//! Puts ticks and commands into one order for all workers, and into the store before them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::Thread;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use watershed_model::tables::SYSTEM_LOSSES;
use watershed_model::{Loss, Tick};

use crate::handle::Shared;
use crate::introspection::Introspection;
use crate::meters::Meter;
use crate::publish::ViewId;
use crate::queue::Next;
use crate::worker::Command;

/// The sequencer's way to a worker.
pub(crate) struct WorkerEnd {
    pub(crate) commands: Sender<Command>,
    pub(crate) thread: Thread,
}

/// The loop between the queue and the workers.
pub(crate) struct Sequencer {
    shared: Arc<Shared>,
    workers: Vec<WorkerEnd>,
    introspection: Introspection,
    /// The last tick.
    last: u64,
}

impl Sequencer {
    pub(crate) fn new(shared: Arc<Shared>, workers: Vec<WorkerEnd>, meters: Receiver<Arc<Meter>>) -> Self {
        Sequencer { shared, workers, introspection: Introspection::new(meters), last: 0 }
    }

    /// Runs until the queue stops.
    pub(crate) fn run(mut self) {
        loop {
            match self.shared.queue.next() {
                Next::Tick(tick) => self.tick(tick),
                Next::Command(Command::Create { id, name, plan, .. }) => {
                    self.wake(id);
                    let store = self.shared.store.lock().expect("not poisoned");
                    let state = Some(store.snapshot(store.last()));
                    drop(store);
                    self.send(&Command::Create { id, name, plan, state });
                }
                Next::Command(command) => {
                    if let Command::Wake(id) = &command {
                        self.wake(*id);
                    }
                    self.send(&command);
                }
                Next::Stop => break self.send(&Command::Stop),
            }
        }
    }

    fn wake(&self, id: ViewId) {
        if let Some(view) = self.shared.views.lock().expect("not poisoned").get(&id) {
            view.rest.wake(self.last);
        }
    }

    fn tick(&mut self, mut tick: Tick) {
        let losses = self.shared.losses.take();
        if let Some(batch) = losses_batch(&tick, &self.shared.node, &losses) {
            tick.events.push((SYSTEM_LOSSES.name, batch));
        }
        tick.states.extend(self.introspection.refresh(tick.time, &self.shared));
        let mut store = self.shared.store.lock().expect("not poisoned");
        store.close(self.shared.queue.closed());
        store.add(&mut tick);
        drop(store);
        self.last = tick.time.0;
        let views = self.shared.views.lock().expect("not poisoned");
        let ends = views.iter().filter(|(_, view)| view.rest.ends(self.last)).map(|(id, _)| *id).collect();
        drop(views);
        self.send(&Command::Tick(Arc::new(tick), Arc::new(ends)));
    }

    fn send(&self, command: &Command) {
        for worker in &self.workers {
            let _ = worker.commands.send(command.clone());
            worker.thread.unpark();
        }
    }
}

fn losses_batch(tick: &Tick, node: &str, losses: &[Loss]) -> Option<RecordBatch> {
    if losses.is_empty() {
        return None;
    }
    let times = losses.iter().map(|_| tick.time.as_nanoseconds());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("+00:00")),
        Arc::new(StringArray::from_iter_values(losses.iter().map(|_| node))),
        Arc::new(StringArray::from_iter_values(losses.iter().map(|loss| &loss.source))),
        Arc::new(StringArray::from_iter_values(losses.iter().map(|loss| &loss.reason))),
        Arc::new(Int64Array::from_iter_values(losses.iter().map(|loss| loss.count))),
        Arc::new(Int64Array::from_iter_values(losses.iter().map(|loss| loss.bytes))),
    ];
    RecordBatch::try_new(SYSTEM_LOSSES.storage_schema(), columns).ok()
}
