//! Redis (RESP2 and RESP3, and inline commands): commands with their replies in order. What is pushed, such as messages
//! of channels, is a row without a request.

mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod secret;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Redis;
