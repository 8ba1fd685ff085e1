//! MongoDB: `OP_MSG`, plain and compressed, and the older `OP_QUERY`; commands with their replies by id.

mod bson;
mod compression;
mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use exchange::Mongodb;
