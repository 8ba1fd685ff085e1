//! Protocol parsers: bytes by position in two directions become messages, messages become exchanges. For ingest.
//! Pure, incremental, bounded, and never panicking: there is no I/O and no clock in here.
//!
//! A protocol implements [`Protocol`], in a module with the same parts: `infer` scores whether any buffer starts a
//! frame, `frame` finds where frames end and reads them, `exchange` pairs them, `table` renders the columns, `fuzz` is
//! the entry of the fuzz targets. [`Connection`] runs it over [`Segment`]s. HTTP/1, the most frequent and the only one
//! whose messages can end with silence, has a parser of its own.

pub mod amqp;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod confusion;
pub mod connection;
pub mod content;
pub mod counts;
pub mod cql;
pub mod dns;
pub mod exchange;
pub mod fuzz;
pub mod http1;
pub mod http2;
pub mod inference;
pub mod json;
pub mod kafka;
pub mod mongodb;
pub mod mux;
pub mod mysql;
pub mod nats;
pub mod pairing;
pub mod pgsql;
pub mod protocol;
pub mod reader;
pub mod redaction;
pub mod redis;
pub mod registry;
pub mod segment;
mod settling;
mod stream;
pub mod tls;
pub mod websocket;

pub use connection::{Connection, ConnectionParser};
pub use content::{Decoder, Encoding};
pub use counts::Counts;
pub use exchange::{Exchange, Pool};
pub use protocol::{Protocol, Setup, Side};
pub use segment::{Direction, Segment};
