//! HTTP/1.x: pipelining, keep-alive, chunked bodies, HEAD, 1xx, Upgrade and CONNECT, either side first, started in
//! mid-stream. What a gap may have touched is marked or skipped and counted; a pair is never guessed.

mod chunk;
mod exchange;
pub mod fuzz;
mod half;
mod head;
mod infer;
mod pairing;
mod parser;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod upgrade;

pub use exchange::{ContentType, Exchange, Message, Pool};
pub use infer::{Inference, Kind, infer};
pub use parser::{Limits, Parser};
pub use upgrade::Upgrade;
