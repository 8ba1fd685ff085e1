//! Mux, Finagle's session layer: T messages with the R messages that answer them, by tag.

mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use exchange::Mux;
