//! From a source of events to ticks of tables: `Source` (kernel, recording) → [`Event`] → [`Tables`] → `Tick`.

mod clock;
pub mod event;
mod ingest;
pub mod recording;
pub mod redaction;
mod source;
pub mod tables;

pub use clock::now_ns;
pub use event::{Event, Stream};
pub use ingest::{Error, Ingest, SourceSpec, Status, Summary, record};
pub use source::{Source, recording::Pace};
pub use tables::{Config, Tables};
