//! What views share: sides of joins that are made of state tables. A dataflow of its own keeps each, for as long as a
//! view uses it; the views import it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use differential_dataflow::operators::arrange::ShutdownButton;
use differential_dataflow::trace::TraceReader;
use timely::dataflow::Scope;
use timely::dataflow::operators::CapabilitySet;
use timely::progress::frontier::{Antichain, AntichainRef};
use watershed_operators::{Leaf, RowArranged, RowTrace};

use crate::render::Feeds;
use crate::scan::Item;

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
    /// Ends a tick: all that belongs to it was fed.
    pub(crate) fn end(&self, tick: u64) {
        self.leaves.iter().for_each(|(_, leaf)| leaf.end(tick));
    }

    /// Ends the dataflow.
    pub(crate) fn finish(&self) {
        self.leaves.iter().for_each(|(_, leaf)| leaf.finish());
        self.buttons.0.borrow_mut().drain(..).for_each(|mut button| button.press());
    }
}

/// A side that is kept.
pub(crate) struct Kept {
    pub(crate) ends: DataflowEnds,
    /// Its rows by key.
    pub(crate) trace: RowTrace,
    pub(crate) label: String,
}

/// All sides that are kept by this worker, by identity, with how many views use each.
#[derive(Default)]
pub(crate) struct Shared {
    kept: HashMap<String, (usize, Kept)>,
    made: usize,
}

impl Shared {
    /// Takes note of another user of a side that is kept already, and of what it was fed up to a tick; whether it is.
    pub(crate) fn reuse(&mut self, identity: &str, tick: u64) -> bool {
        let Some((users, kept)) = self.kept.get_mut(identity) else { return false };
        *users += 1;
        kept.ends.end(tick);
        true
    }

    /// Ends a tick for sides.
    pub(crate) fn end(&self, identities: &[String], tick: u64) {
        let kept = identities.iter().filter_map(|identity| self.kept.get(identity));
        kept.for_each(|(_, kept)| kept.ends.end(tick));
    }

    /// A name for another side.
    pub(crate) fn next_name(&mut self) -> String {
        self.made += 1;
        format!("shared-{}", self.made)
    }

    /// Keeps a side with one user.
    pub(crate) fn keep(&mut self, identity: String, kept: Kept) {
        self.kept.insert(identity, (1, kept));
    }

    /// Ends a use of sides; those that nobody uses go.
    pub(crate) fn release(&mut self, identities: &[String]) {
        for identity in identities {
            let Some((users, kept)) = self.kept.get_mut(identity) else { continue };
            *users -= 1;
            if *users == 0 {
                kept.ends.finish();
                self.kept.remove(identity);
            }
        }
    }

    /// Ends all.
    pub(crate) fn finish(&mut self) {
        self.kept.drain().for_each(|(_, (_, kept))| kept.ends.finish());
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = &(Feeds, Leaf<Item>)> {
        self.kept.values().flat_map(|(_, kept)| &kept.ends.leaves)
    }

    /// Who imports from now on does not tell apart what was before a tick.
    pub(crate) fn compact(&mut self, tick: u64) {
        for (_, Kept { trace, .. }) in self.kept.values_mut() {
            trace.set_logical_compaction(AntichainRef::new(&[tick]));
            // Batches that are still to come are left as they are.
            let mut upper = Antichain::new();
            trace.read_upper(&mut upper);
            trace.set_physical_compaction(upper.borrow());
        }
    }

    /// A side, for a dataflow that is being built.
    pub(crate) fn import<'scope>(
        &self,
        scope: Scope<'scope, u64>,
        buttons: &Buttons,
        identity: &str,
    ) -> Option<RowArranged<'scope>> {
        let (_, Kept { trace, label, .. }) = self.kept.get(identity)?;
        let (rows, button) = trace.clone().import_core(scope, label);
        buttons.0.borrow_mut().push(button);
        Some(rows)
    }
}
