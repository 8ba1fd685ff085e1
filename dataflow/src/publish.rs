//! Outside of the workers: merges what they report by their least frontier, keeps each view's rows for snapshots, and
//! broadcasts closed changes, decoded once, to all subscribers.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use tokio::sync::{broadcast, watch};
use watershed_model::TickTime;
use watershed_operators::Row;

use crate::codec::{Codec, batch_of, relaxed};
use crate::multiset::Multiset;
use crate::queue::Queue;
use crate::rest::Rest;
use crate::subscription::Pace;

/// Number of a view; never used twice.
pub(crate) type ViewId = u64;

/// Messages that a subscriber may lag behind before it is sent a new snapshot.
const BACKLOG: usize = 256;

/// What workers report.
pub(crate) enum Report {
    Updates { view: ViewId, worker: usize, upper: u64, updates: Vec<(Row, u64, i64)> },
    Ack { worker: usize, tick: u64 },
    Dataflows { worker: usize, count: usize },
}

/// What subscribers of a view are sent.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    Changes { time: TickTime, rows: RecordBatch, diffs: Arc<Vec<i64>> },
    Progress(TickTime),
    Dropped,
}

/// A view's rows at its last closed time.
pub(crate) struct State {
    pub(crate) closed: Option<TickTime>,
    pub(crate) rows: Multiset,
}

/// What the publisher, the handle and subscribers share of a view.
pub(crate) struct ViewShared {
    pub(crate) name: String,
    pub(crate) schema: SchemaRef,
    pub(crate) key: Option<Vec<usize>>,
    pub(crate) codec: Codec,
    pub(crate) state: Mutex<State>,
    pub(crate) sender: broadcast::Sender<Message>,
    pub(crate) dropped: AtomicBool,
    /// The last time that it closed; the last of all times once it is gone.
    pub(crate) closed: watch::Sender<Option<TickTime>>,
    pub(crate) rest: Rest,
}

impl ViewShared {
    pub(crate) fn new(id: ViewId, name: &str, plan: &watershed_query::view::ViewPlan) -> Result<Self, crate::Error> {
        let schema = Arc::clone(&plan.root.schema);
        Ok(ViewShared {
            name: name.to_owned(),
            codec: Codec::of(&schema).map_err(crate::Error::unsupported)?,
            schema,
            key: plan.key.clone(),
            state: Mutex::new(State { closed: None, rows: Multiset::default() }),
            sender: broadcast::channel(BACKLOG).0,
            dropped: AtomicBool::new(false),
            closed: watch::channel(None).0,
            rest: Rest::new(id, if plan.ages_events() { Pace::Relaxed } else { Pace::Live }),
        })
    }

    /// Tells all who follow that the view is gone.
    pub(crate) fn end(&self) {
        let _ = self.sender.send(Message::Dropped);
        self.dropped.store(true, Ordering::Release);
        self.closed.send_replace(Some(TickTime(u64::MAX)));
    }

    /// Rows of bytes as a batch in the view's schema; `None` if they are not rows of it.
    pub(crate) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>, count: usize) -> Option<RecordBatch> {
        let columns = self.codec.decode(rows).ok()?;
        let exact = batch_of(&self.schema, columns.clone(), count);
        exact.or_else(|_| batch_of(&relaxed(&self.schema), columns, count)).ok()
    }
}

/// The views by number.
pub(crate) type Views = Arc<Mutex<BTreeMap<ViewId, Arc<ViewShared>>>>;

#[derive(Default)]
struct Merge {
    uppers: HashMap<usize, u64>,
    pending: BTreeMap<u64, Vec<(Row, i64)>>,
}

/// Runs until the workers are gone.
pub(crate) fn run(reports: &Receiver<Report>, workers: usize, views: &Views, queue: &Queue) {
    let mut merges: HashMap<ViewId, Merge> = HashMap::new();
    let mut acks = vec![0u64; workers];
    let mut dataflows = vec![0usize; workers];
    while let Ok(report) = reports.recv() {
        match report {
            Report::Ack { worker, tick } => acks[worker] = tick,
            Report::Dataflows { worker, count } => {
                dataflows[worker] = count;
                queue.set_dataflows(dataflows.iter().sum());
            }
            Report::Updates { view, worker, upper, updates } => {
                let merge = merges.entry(view).or_default();
                merge.uppers.insert(worker, upper);
                for (row, time, diff) in updates {
                    merge.pending.entry(time).or_default().push((row, diff));
                }
                let shared = views.lock().expect("not poisoned").get(&view).cloned();
                let upper =
                    if merge.uppers.len() < workers { 0 } else { merge.uppers.values().copied().min().unwrap_or(0) };
                match shared {
                    Some(shared) if upper < u64::MAX => close(&shared, merge, upper),
                    _ if upper == u64::MAX => {
                        merges.remove(&view);
                    }
                    _ => merge.pending.clear(),
                }
            }
        }
        let acked = acks.iter().copied().min().unwrap_or(0);
        // A view that rests and has closed what it was to end holds nothing back; one that has no rows yet, all.
        let views = views.lock().expect("not poisoned");
        let closed = views.values().map(|view| (view, view.state.lock().expect("not poisoned").closed));
        let behind = closed.filter(|(view, closed)| view.rest.is_behind(*closed)).map(|(_, closed)| closed);
        if let Some(closed) = behind.chain([Some(TickTime(acked))]).min().flatten() {
            queue.close(closed);
        }
    }
}

/// Applies and broadcasts what is before `upper`.
fn close(view: &ViewShared, merge: &mut Merge, upper: u64) {
    let Some(closed) = view.rest.ended_before(upper) else { return };
    let mut state = view.state.lock().expect("not poisoned");
    if state.closed.is_some_and(|known| known >= closed) {
        return;
    }
    let later = merge.pending.split_off(&(closed.0 + 1));
    for (time, updates) in std::mem::replace(&mut merge.pending, later) {
        let changes = changes_of(updates);
        for (row, diff) in &changes {
            state.rows.add(row, *diff);
        }
        if changes.is_empty() || view.sender.receiver_count() == 0 {
            continue;
        }
        if let Some(rows) = view.decode(changes.iter().map(|(row, _)| row.as_slice()), changes.len()) {
            let diffs = Arc::new(changes.iter().map(|(_, diff)| *diff).collect());
            let _ = view.sender.send(Message::Changes { time: TickTime(time), rows, diffs });
        }
    }
    state.rows.tidy();
    state.closed = Some(closed);
    let _ = view.sender.send(Message::Progress(closed));
    drop(state);
    view.closed.send_replace(Some(closed));
}

/// The changes of one time, each row once. Retractions come first, so that an upsert by key sees the row go before its
/// successor comes; otherwise they are in the order in which they came.
fn changes_of(updates: Vec<(Row, i64)>) -> Vec<(Row, i64)> {
    let mut sums = IndexMap::<Row, i64, RandomState>::default();
    for (row, diff) in updates {
        *sums.entry(row).or_default() += diff;
    }
    let (mut changes, come): (Vec<_>, Vec<_>) =
        sums.into_iter().filter(|(_, diff)| *diff != 0).partition(|(_, diff)| *diff < 0);
    changes.extend(come);
    changes
}
