//! A Timely worker: takes commands in one order, feeds the leaves of its views, and never blocks, locks or awaits.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator as _;
use timely::worker::Worker;
use watershed_model::Tick;
use watershed_model::tables::by_name;
use watershed_operators::{Leaf, Row};
use watershed_query::Snapshot as _;
use watershed_query::view::ViewPlan;
use watershed_query::view::sharing::{Side, shareable};

use crate::losses::Losses;
use crate::meters::Meter;
use crate::owners::OWNERS;
use crate::publish::{Report, ViewId};
use crate::render::{Feeds, Renderer};
use crate::scan::Item;
use crate::shared::{self, DataflowEnds, Leaves, Shared, SideId};
use crate::store::StoreSnapshot;
use crate::stored::StoredBatch;

/// Longest sleep without a command; merging and shutdown do not need more.
const PARK: Duration = Duration::from_secs(1);
/// Batches with fewer rows go to one worker whole.
const MIN_SHARED_ROWS: usize = 1024;

/// What the sequencer tells every worker, in one order.
#[derive(Clone)]
pub(crate) enum Command {
    /// A tick, and the views that it ends for; for others it is part of a later one.
    Tick(Arc<Tick>, Arc<HashSet<ViewId>>),
    /// What a view was fed belongs to the last tick.
    Wake(ViewId),
    /// The sequencer adds what is retained.
    Create {
        id: ViewId,
        name: Arc<str>,
        plan: Arc<ViewPlan>,
        state: Option<StoreSnapshot>,
    },
    Drop(ViewId),
    Stop,
}

/// A worker's ends of its channels.
pub(crate) struct Ends {
    pub(crate) commands: Receiver<Command>,
    pub(crate) reports: Sender<Report>,
    pub(crate) losses: Losses,
    pub(crate) meters: Sender<Arc<Meter>>,
}

struct View {
    ends: DataflowEnds,
    /// What it shares with others.
    shares: Vec<SideId>,
    /// The last tick that it ended.
    ended: u64,
}

/// What a worker keeps up to date.
#[derive(Default)]
struct Kept {
    views: HashMap<ViewId, View>,
    shared: Shared,
    /// The last tick that came.
    last: u64,
    /// Batches that were handed out to workers.
    handed: usize,
}

impl Kept {
    fn leaves(&self) -> impl Iterator<Item = &(Feeds, Leaf<Item>)> {
        self.views.values().flat_map(|view| &view.ends.leaves).chain(self.shared.leaves())
    }

    /// Ends the last tick for a view and what it shares with others; that is complete before the view looks into it.
    fn end(&mut self, worker: &mut Worker, id: ViewId) {
        let Kept { views, shared, last, .. } = self;
        let Some(view) = views.get_mut(&id).filter(|view| view.ended < *last) else { return };
        shared.end(worker, &view.shares, *last);
        if shared.moved_since(&view.shares, view.ended) {
            view.ends.tell_moves();
        }
        view.ends.end(*last);
        view.ended = *last;
    }
}

/// Runs until it is told to stop.
pub(crate) fn run(worker: &mut Worker, ends: &Ends) {
    crate::meters::follow(worker, ends.meters.clone());
    let mut kept = Kept::default();
    let mut installed = usize::MAX;
    'run: loop {
        loop {
            match ends.commands.try_recv() {
                Ok(Command::Tick(tick, ends_for)) => {
                    feed(worker, &mut kept, &tick);
                    ends_for.iter().for_each(|id| kept.end(worker, *id));
                    let _ = ends.reports.send(Report::Ack { worker: worker.index(), tick: tick.time.0 });
                }
                Ok(Command::Wake(id)) => kept.end(worker, id),
                Ok(Command::Create { id, name, plan, state }) => {
                    let Some(state) = state else { continue };
                    let view = create(worker, ends, &mut kept.shared, (id, &name), &plan, &state);
                    kept.views.insert(id, view);
                }
                Ok(Command::Drop(id)) => {
                    if let Some(view) = kept.views.remove(&id) {
                        view.ends.finish();
                        kept.shared.release(&view.shares);
                    }
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => break 'run,
                Err(TryRecvError::Empty) => break,
            }
        }
        worker.step_or_park(Some(PARK));
        let dataflows = worker.installed_dataflows().len();
        if dataflows != installed {
            installed = dataflows;
            let _ = ends.reports.send(Report::Dataflows { worker: worker.index(), count: dataflows });
        }
    }
    kept.views.values().for_each(|view| view.ends.finish());
    kept.shared.finish();
    while !worker.installed_dataflows().is_empty() {
        worker.step_or_park(Some(Duration::from_millis(10)));
    }
}

/// Which rows of a batch are this worker's.
fn share(worker: &Worker, rows: usize, handed: &mut usize) -> Option<Range<usize>> {
    let (index, peers) = (worker.index(), worker.peers());
    *handed += 1;
    if rows < MIN_SHARED_ROWS || peers == 1 {
        return (*handed % peers == index).then_some(0..rows);
    }
    Some(rows * index / peers..rows * (index + 1) / peers)
}

/// Hands a tick's rows to the leaves that want them.
fn feed(worker: &Worker, kept: &mut Kept, tick: &Tick) {
    kept.last = tick.time.0;
    for (name, batch) in &tick.events {
        let Some(table) = by_name(name) else { continue };
        let Some(rows) = share(worker, batch.num_rows(), &mut kept.handed) else { continue };
        let stored = Rc::new(StoredBatch::part(table, batch, rows));
        for (feeds, leaf) in kept.leaves() {
            if matches!(feeds, Feeds::Events { tables, .. } if tables.contains(name)) {
                leaf.push(Item::Events(Rc::clone(&stored)));
            }
        }
    }
    tick.states.iter().for_each(|change| kept.shared.feed(change.table));
    for change in tick.states.iter().filter(|change| worker.index() == 0 || change.table == OWNERS) {
        let Some(table) = by_name(change.table) else { continue };
        let stored = Rc::new(StoredBatch::new(table, &change.rows));
        let diffs = Arc::new(change.diffs.clone());
        for (feeds, leaf) in kept.leaves() {
            if wants(feeds, worker, change.table) {
                leaf.push(Item::Changes(Rc::clone(&stored), Arc::clone(&diffs)));
            }
        }
    }
}

/// Whether a leaf is fed with a state table's changes: scans on every worker, tables on the first.
fn wants(feeds: &Feeds, worker: &Worker, table: &str) -> bool {
    feeds.state() == Some(table) && (worker.index() == 0 || matches!(feeds, Feeds::Events { .. }))
}

fn create(
    worker: &mut Worker,
    ends: &Ends,
    shared: &mut Shared,
    (id, name): (ViewId, &str),
    plan: &ViewPlan,
    state: &StoreSnapshot,
) -> View {
    let Ends { losses, reports, .. } = ends;
    let (tick, mut shares) = (state.time().0, Vec::new());
    for Side { identity, node, keys } in shareable(&plan.root) {
        if let Some(side) = shared.reuse(&identity) {
            shared.bring(worker, side, tick);
            shares.push(side);
            continue;
        }
        let label = shared.next_name();
        let (ends, trace) = worker.dataflow_named::<u64, _, _>(&label, |scope| {
            let mut renderer = Renderer::new(scope, &label, losses, shared);
            let trace = renderer.trace(node, keys);
            (renderer.ends, trace)
        });
        fill(worker, &ends.leaves, state);
        let made_of = shared.sides(shareable(node).iter().map(|side| side.identity.as_str()));
        shares.push(shared.keep(worker, shared::Kept::new(ends, trace, identity, made_of, tick)));
    }
    let (index, reports) = (worker.index(), reports.clone());
    let ends = worker.dataflow_named::<u64, _, _>(name, |scope| {
        let mut renderer = Renderer::new(scope, name, losses, shared);
        let rows = renderer.rows(&plan.root);
        publish(rows, index, id, reports);
        renderer.ends
    });
    fill(worker, &ends.leaves, state);
    View { ends, shares, ended: tick }
}

/// Feeds leaves with what the store retains.
fn fill(worker: &Worker, leaves: &Leaves, state: &StoreSnapshot) {
    for (feeds, leaf) in leaves {
        for table in feeds.state().into_iter().filter(|table| wants(feeds, worker, table)) {
            for batch in state.batches(table) {
                let Some(table) = by_name(table) else { continue };
                let diffs = Arc::new(vec![1; batch.num_rows()]);
                leaf.push(Item::Changes(Rc::new(StoredBatch::new(table, &batch)), diffs));
            }
        }
        match feeds {
            Feeds::Events { tables, .. } => {
                let mut handed = 0;
                let batches = tables.iter().flat_map(|table| state.batches(table).into_iter().map(move |b| (table, b)));
                for (table, batch) in batches {
                    let rows = share(worker, batch.num_rows(), &mut handed);
                    let (Some(table), Some(rows)) = (by_name(table), rows) else { continue };
                    leaf.push(Item::Events(Rc::new(StoredBatch::part(table, &batch, rows))));
                }
            }
            Feeds::Constant(batch) if worker.index() == 0 => leaf.push(Item::Constant(batch.clone())),
            Feeds::State(_) | Feeds::Constant(_) | Feeds::Ticks | Feeds::Moves => {}
        }
        leaf.end(state.time().0);
    }
}

/// Sends a view's updates and its frontier, each time that it moves, to the publisher.
fn publish(rows: watershed_operators::Rows<'_>, worker: usize, view: ViewId, reports: Sender<Report>) {
    let _ = rows.inner.unary_frontier::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
        Pipeline,
        "publish",
        move |capability, _| {
            drop(capability);
            let mut updates: Vec<(Row, u64, i64)> = Vec::new();
            let mut last = 0u64;
            move |(input, frontier), _output| {
                input.for_each(|_, data| updates.append(data));
                let upper = frontier.frontier().first().copied().unwrap_or(u64::MAX);
                if upper > last {
                    last = upper;
                    let updates = std::mem::take(&mut updates);
                    let _ = reports.send(Report::Updates { view, worker, upper, updates });
                }
            }
        },
    );
}
