//! Protocol parsers: bytes by position in two directions become messages, messages become exchanges. For ingest.
//! Pure, incremental, bounded, and never panicking: there is no I/O and no clock in here.
//!
//! Every protocol is a module with the same parts: `infer` scores whether any buffer starts a message, `head` reads a
//! message's beginning, `half` holds the state of one direction, `exchange` is what comes out, `Parser` takes
//! [`Segment`]s of one connection and hands out exchanges, `fuzz` is the entry of the fuzz targets.

pub mod content;
pub mod http1;
pub mod segment;

pub use content::{Decoder, Encoding};
pub use segment::{Direction, Segment};
