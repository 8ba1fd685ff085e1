//! Kafka: requests and answers with lengths in front, paired by correlation id.

mod body;
mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod records;
mod schema;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Kafka;
