//! NATS: every command is a row; a request finds its reply by the reply's subject, a PING its PONG.

mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Nats;
