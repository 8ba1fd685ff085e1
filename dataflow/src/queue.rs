//! Between the source and the workers: a bounded queue of ticks, commands, and what is closed so far.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex};

use tokio::sync::watch;
use watershed_model::{Tick, TickTime};

use crate::losses::Losses;
use crate::worker::Command;

/// Ticks that may be on their way through the workers.
const MAX_OPEN_TICKS: usize = 8;

struct Waiting {
    ticks: VecDeque<Tick>,
    commands: VecDeque<Command>,
    /// Ticks that are not closed, and the last closed one.
    open: BTreeSet<u64>,
    closed: TickTime,
    dataflows: usize,
    stopped: bool,
}

/// What the sequencer takes next.
pub(crate) enum Next {
    Tick(Tick),
    Command(Command),
    Stop,
}

/// The queue; `capacity` ticks wait at most.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    capacity: usize,
    losses: Losses,
    closed: watch::Sender<TickTime>,
}

impl Queue {
    pub(crate) fn new(capacity: usize, losses: Losses) -> Self {
        let waiting = Waiting {
            ticks: VecDeque::new(),
            commands: VecDeque::new(),
            open: BTreeSet::from([0]),
            closed: TickTime(0),
            dataflows: 0,
            stopped: false,
        };
        let (waiting, capacity) = (Mutex::new(waiting), capacity.max(1));
        Queue { waiting, changed: Condvar::new(), capacity, losses, closed: watch::channel(TickTime(0)).0 }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no thread panics while it holds the lock")
    }

    /// Adds a tick; when the queue is full the oldest tick's events are lost and its state changes move on.
    pub(crate) fn push(&self, mut tick: Tick) {
        let mut waiting = self.lock();
        if waiting.ticks.len() >= self.capacity
            && let Some(oldest) = waiting.ticks.pop_front()
        {
            let rows: usize = oldest.events.iter().map(|(_, batch)| batch.num_rows()).sum();
            self.losses.add("dataflow", "queue_full", rows as i64, oldest.bytes() as i64);
            let next = waiting.ticks.front_mut().unwrap_or(&mut tick);
            let younger = std::mem::replace(&mut next.states, oldest.states);
            next.states.extend(younger);
        }
        waiting.ticks.push_back(tick);
        drop(waiting);
        self.changed.notify_all();
    }

    /// Adds a tick when there is room; blocks until then.
    pub(crate) fn push_wait(&self, tick: Tick) {
        let mut waiting = self.lock();
        while waiting.ticks.len() >= self.capacity && !waiting.stopped {
            waiting = self.changed.wait(waiting).expect("not poisoned");
        }
        waiting.ticks.push_back(tick);
        drop(waiting);
        self.changed.notify_all();
    }

    /// Adds a command; it comes before all ticks that wait.
    pub(crate) fn command(&self, command: Command) -> bool {
        let mut waiting = self.lock();
        let open = !waiting.stopped;
        if open {
            waiting.commands.push_back(command);
        }
        drop(waiting);
        self.changed.notify_all();
        open
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Blocks until there is something to do.
    pub(crate) fn next(&self) -> Next {
        let mut waiting = self.lock();
        loop {
            if let Some(command) = waiting.commands.pop_front() {
                return Next::Command(command);
            }
            if waiting.stopped {
                return Next::Stop;
            }
            if waiting.open.len() <= MAX_OPEN_TICKS
                && let Some(tick) = waiting.ticks.pop_front()
            {
                let last = waiting.open.last().copied().unwrap_or(0);
                if tick.time.0 > last {
                    waiting.open.insert(tick.time.0);
                    drop(waiting);
                    self.changed.notify_all();
                    return Next::Tick(tick);
                }
                let rows: usize = tick.events.iter().map(|(_, batch)| batch.num_rows()).sum();
                self.losses.add("dataflow", "time_went_back", rows as i64, tick.bytes() as i64);
                continue;
            }
            waiting = self.changed.wait(waiting).expect("not poisoned");
        }
    }

    /// This time is closed for all views.
    pub(crate) fn close(&self, closed: TickTime) {
        let mut waiting = self.lock();
        if closed <= waiting.closed {
            return;
        }
        waiting.closed = closed;
        waiting.open = waiting.open.split_off(&closed.0);
        drop(waiting);
        self.closed.send_replace(closed);
        self.changed.notify_all();
    }

    pub(crate) fn closed(&self) -> TickTime {
        self.lock().closed
    }

    /// Follows the closed time.
    pub(crate) fn follow(&self) -> watch::Receiver<TickTime> {
        self.closed.subscribe()
    }

    pub(crate) fn set_dataflows(&self, count: usize) {
        self.lock().dataflows = count;
        self.changed.notify_all();
    }

    pub(crate) fn dataflows(&self) -> usize {
        self.lock().dataflows
    }
}
