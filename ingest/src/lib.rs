//! From a source of events to ticks of tables: `Source` (kernel, recording) → [`Event`] → [`Tables`] → `Tick`.

pub mod event;
pub mod recording;
pub mod tables;

pub use event::Event;
pub use tables::Tables;
