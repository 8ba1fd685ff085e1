//! Cassandra's CQL, versions 3 to 5: requests with their answers by stream, statements by their id, events apart.

mod body;
mod compression;
mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Cql;
