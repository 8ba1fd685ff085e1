//! What views share: sides of joins that are made of state tables. A dataflow of its own keeps each, for as long as a
//! view uses it; the views import it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use differential_dataflow::operators::arrange::ShutdownButton;
use differential_dataflow::trace::TraceReader;
use timely::dataflow::Scope;
use timely::dataflow::operators::CapabilitySet;
use timely::progress::frontier::{Antichain, AntichainRef};
use timely::worker::Worker;
use watershed_operators::{Leaf, RowArranged, RowTrace};

use crate::render::Feeds;
use crate::scan::Item;

/// Longest sleep while another worker has yet to do its part.
const WAIT: Duration = Duration::from_millis(10);

/// Leaves of a dataflow, with what each is fed with.
pub(crate) type Leaves = Vec<(Feeds, Leaf<Item>)>;

/// What ends the imports of a dataflow.
#[derive(Clone, Default)]
pub(crate) struct Buttons(Rc<RefCell<Vec<ShutdownButton<CapabilitySet<u64>>>>>);

/// What a dataflow is fed by, and what ends it.
#[derive(Default)]
pub(crate) struct DataflowEnds {
    pub(crate) leaves: Leaves,
    pub(crate) buttons: Buttons,
}

impl DataflowEnds {
    /// What it looks up elsewhere is another from the tick on that ends next.
    pub(crate) fn tell_moves(&self) {
        let told = self.leaves.iter().filter(|(feeds, _)| matches!(feeds, Feeds::Moves));
        told.for_each(|(_, leaf)| leaf.push(Item::Moved));
    }

    /// Ends a tick: all that belongs to it was fed.
    pub(crate) fn end(&self, tick: u64) {
        self.leaves.iter().for_each(|(_, leaf)| leaf.end(tick));
    }

    fn ticks(&self) -> bool {
        self.leaves.iter().any(|(feeds, _)| matches!(feeds, Feeds::Ticks))
    }

    fn reads(&self, table: &str) -> bool {
        self.leaves.iter().any(|(feeds, _)| feeds.state() == Some(table))
    }

    /// Ends the dataflow.
    pub(crate) fn finish(&self) {
        self.leaves.iter().for_each(|(_, leaf)| leaf.finish());
        self.buttons.0.borrow_mut().drain(..).for_each(|mut button| button.press());
    }
}

/// Number of a side; those that a side is made of have smaller ones.
pub(crate) type SideId = u64;

/// A side that is kept. It moves to a tick only if something is another then, unless it is followed.
pub(crate) struct Kept {
    ends: DataflowEnds,
    /// Its rows by key.
    trace: RowTrace,
    identity: String,
    /// The sides that it is made of.
    made_of: Vec<SideId>,
    users: usize,
    /// Whether it moves with each tick: it depends on the time, or a dataflow follows its changes as a stream.
    is_followed: Cell<bool>,
    /// Whether rows of its tables came, be it to another worker, since it moved.
    is_fed: Cell<bool>,
    /// The last tick that it moved to.
    moved: Cell<u64>,
}

impl Kept {
    /// A side with one user, that is fed up to a tick.
    pub(crate) fn new(ends: DataflowEnds, trace: RowTrace, identity: String, made_of: Vec<SideId>, tick: u64) -> Self {
        let is_followed = ends.ticks().into();
        Kept { ends, trace, identity, made_of, users: 1, is_followed, is_fed: false.into(), moved: tick.into() }
    }

    fn is_behind(&mut self, tick: u64) -> bool {
        let mut upper = Antichain::new();
        self.trace.read_upper(&mut upper);
        upper.less_equal(&tick)
    }

    /// Who looks from now on does not tell apart what was before a tick.
    fn compact(&mut self, tick: u64) {
        self.trace.set_logical_compaction(AntichainRef::new(&[tick]));
        // Batches that are still to come are left as they are.
        let mut upper = Antichain::new();
        self.trace.read_upper(&mut upper);
        self.trace.set_physical_compaction(upper.borrow());
    }
}

/// All sides that are kept by this worker. All workers make the same moves.
#[derive(Default)]
pub(crate) struct Shared {
    kept: BTreeMap<SideId, Kept>,
    by_identity: HashMap<String, SideId>,
    made: SideId,
}

impl Shared {
    /// Takes note of another user of a side, if that is kept already.
    pub(crate) fn reuse(&mut self, identity: &str) -> Option<SideId> {
        let side = self.by_identity.get(identity)?;
        self.kept.get_mut(side)?.users += 1;
        Some(*side)
    }

    /// Rows of a state table came for the next tick.
    pub(crate) fn feed(&self, table: &str) {
        self.kept.values().filter(|kept| kept.ends.reads(table)).for_each(|kept| kept.is_fed.set(true));
    }

    /// Moves sides to a tick, if something is another then; those that others are made of come first. All of them are
    /// complete up to the tick when it returns.
    pub(crate) fn end(&mut self, worker: &mut Worker, sides: &[SideId], tick: u64) {
        self.move_to(worker, sides, tick, |kept| kept.is_followed.get() || kept.is_fed.get());
    }

    /// Moves a side to a tick in any case.
    pub(crate) fn bring(&mut self, worker: &mut Worker, side: SideId, tick: u64) {
        self.move_to(worker, &[side], tick, |_| true);
    }

    fn move_to(&mut self, worker: &mut Worker, sides: &[SideId], tick: u64, wants: impl Fn(&Kept) -> bool) {
        let mut moving = Vec::new();
        for side in sides {
            let Some(kept) = self.kept.get(side).filter(|kept| kept.moved.get() < tick) else { continue };
            let looks_up = self.moved_since(&kept.made_of, kept.moved.get());
            if !looks_up && !wants(kept) {
                continue;
            }
            kept.moved.set(tick);
            kept.is_fed.set(false);
            if looks_up {
                self.settle(worker, &std::mem::take(&mut moving), tick);
                self.kept[side].ends.tell_moves();
            }
            self.kept[side].ends.end(tick);
            moving.push(*side);
        }
        self.settle(worker, &moving, tick);
    }

    /// Waits until sides are complete up to a tick.
    fn settle(&mut self, worker: &mut Worker, sides: &[SideId], tick: u64) {
        for side in sides {
            let Some(kept) = self.kept.get_mut(side) else { continue };
            while kept.is_behind(tick) {
                worker.step_or_park(Some(WAIT));
            }
            kept.compact(tick);
        }
    }

    /// Whether any of some sides moved after a tick.
    pub(crate) fn moved_since(&self, sides: &[SideId], tick: u64) -> bool {
        sides.iter().filter_map(|side| self.kept.get(side)).any(|kept| kept.moved.get() > tick)
    }

    /// A name for the side that is kept next.
    pub(crate) fn next_name(&self) -> String {
        name(self.made + 1)
    }

    /// Keeps another side, and waits until it is complete up to what it was fed.
    pub(crate) fn keep(&mut self, worker: &mut Worker, kept: Kept) -> SideId {
        self.made += 1;
        let (side, tick) = (self.made, kept.moved.get());
        self.by_identity.insert(kept.identity.clone(), side);
        self.kept.insert(side, kept);
        self.settle(worker, &[side], tick);
        side
    }

    /// The sides that are kept of these identities.
    pub(crate) fn sides<'a>(&self, identities: impl Iterator<Item = &'a str>) -> Vec<SideId> {
        identities.filter_map(|identity| self.by_identity.get(identity).copied()).collect()
    }

    /// Ends a use of sides; those that nobody uses go.
    pub(crate) fn release(&mut self, sides: &[SideId]) {
        for side in sides {
            let Some(kept) = self.kept.get_mut(side) else { continue };
            kept.users -= 1;
            if kept.users == 0 {
                kept.ends.finish();
                self.by_identity.remove(&kept.identity);
                self.kept.remove(side);
            }
        }
    }

    /// Ends all.
    pub(crate) fn finish(&mut self) {
        self.by_identity.clear();
        std::mem::take(&mut self.kept).into_values().for_each(|kept| kept.ends.finish());
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = &(Feeds, Leaf<Item>)> {
        self.kept.values().flat_map(|kept| &kept.ends.leaves)
    }

    /// A side that is looked up.
    pub(crate) fn trace(&self, identity: &str) -> Option<RowTrace> {
        Some(self.kept.get(self.by_identity.get(identity)?)?.trace.clone())
    }

    /// A side as a stream of its changes, for a dataflow that is being built.
    pub(crate) fn import<'scope>(
        &self,
        scope: Scope<'scope, u64>,
        buttons: &Buttons,
        identity: &str,
    ) -> Option<RowArranged<'scope>> {
        let side = self.by_identity.get(identity)?;
        let Kept { trace, is_followed, .. } = self.kept.get(side)?;
        is_followed.set(true);
        let (rows, button) = trace.clone().import_core(scope, &name(*side));
        buttons.0.borrow_mut().push(button);
        Some(rows)
    }
}

fn name(side: SideId) -> String {
    format!("shared-{side}")
}
