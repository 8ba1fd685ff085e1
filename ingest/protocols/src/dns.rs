//! DNS over UDP and TCP: queries and answers in full, with EDNS. A query without an answer is a row too, after a while.
//! mDNS has no pairs: every message of it is a row of its own.

mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod record;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Dns;
