//! Where events come from. A source owns the clock: it ends every tick with a [`Event::Tick`].

mod conntrack;
pub(crate) mod kernel;
pub(crate) mod proc;
pub(crate) mod recording;
mod runtime;

use crate::event::{Attention, Event, Stream};

/// Whether there is more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// More will come.
    Running,
    /// All that there was has been handed out; empty ticks follow.
    Ended,
}

/// A source of events, polled by the ingest thread.
pub trait Source {
    /// Waits a little, then hands out what there is.
    fn poll(&mut self, each: &mut dyn FnMut(&Event<'_>)) -> Result<State, crate::Error>;
    /// How much of a stream's content is to be copied from here on; before, the beginning of each transfer is.
    fn attend(&mut self, stream: Stream, attention: Attention);
}
