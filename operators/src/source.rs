//! The leaf of a dataflow: what a worker feeds by hand, one item at a time, and a frontier that moves with the ticks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use differential_dataflow::{AsCollection, Data, ExchangeData, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::operators::generic::operator::source;
use timely::scheduling::Activator;

/// What is waiting for a leaf; bounded by the ticks that its feeder lets wait.
pub struct Feed<I> {
    /// Items of the tick that has not ended.
    coming: Vec<I>,
    /// Ticks that have ended, with their items.
    ended: VecDeque<(u64, Vec<I>)>,
    last: Option<u64>,
    finished: bool,
}

/// A worker's end of a leaf.
pub struct Leaf<I> {
    feed: Rc<RefCell<Feed<I>>>,
    activator: Activator,
}

impl<I> Leaf<I> {
    /// Hands over an item; it belongs to the tick that ends next.
    pub fn push(&self, item: I) {
        self.feed.borrow_mut().coming.push(item);
    }

    /// Ends a tick: all its items were pushed. Ticks do not go back; one that has ended already is left alone.
    pub fn end(&self, tick: u64) {
        let mut feed = self.feed.borrow_mut();
        if feed.last.is_some_and(|last| last >= tick) {
            return;
        }
        feed.last = Some(tick);
        let items = std::mem::take(&mut feed.coming);
        feed.ended.push_back((tick, items));
        self.activator.activate();
    }

    /// Ends the leaf; what waits is dropped.
    pub fn finish(&self) {
        let mut feed = self.feed.borrow_mut();
        feed.coming.clear();
        feed.ended.clear();
        feed.finished = true;
        self.activator.activate();
    }
}

/// Where a leaf's logic puts its updates.
pub type Emit<'a, D, R> = &'a mut dyn FnMut(D, R);

/// Builds a leaf. `logic` is called with each item and, at the end of each tick, with `None`; what it emits is at that
/// tick.
pub fn leaf<'scope, I, D, R, L>(
    scope: Scope<'scope, u64>,
    name: &str,
    mut logic: L,
) -> (Leaf<I>, VecCollection<'scope, u64, D, R>)
where
    I: 'static,
    D: Data,
    R: ExchangeData + differential_dataflow::difference::Semigroup,
    L: FnMut(u64, Option<I>, Emit<'_, D, R>) + 'static,
{
    let feed = Feed { coming: Vec::new(), ended: VecDeque::new(), last: None, finished: false };
    let feed = Rc::new(RefCell::new(feed));
    let mut activator = None;
    let stream = source::<_, CapacityContainerBuilder<Vec<(D, u64, R)>>, _, _>(scope, name, |capability, info| {
        activator = Some(scope.activator_for(info.address));
        let feed = Rc::clone(&feed);
        let mut held = Some(capability);
        move |output| {
            let Some(capability) = held.as_mut() else { return };
            // Taken one by one: the logic must not run under the borrow.
            loop {
                let Some((tick, items)) = feed.borrow_mut().ended.pop_front() else { break };
                capability.downgrade(&tick);
                {
                    let mut session = output.session(&*capability);
                    for item in items.into_iter().map(Some).chain([None]) {
                        logic(tick, item, &mut |data, diff| session.give((data, tick, diff)));
                    }
                }
                capability.downgrade(&tick.saturating_add(1));
            }
            if feed.borrow().finished {
                held = None;
            }
        }
    });
    let activator = activator.expect("the constructor ran while the source was built");
    (Leaf { feed, activator }, stream.as_collection())
}
