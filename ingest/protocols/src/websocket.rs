//! WebSocket (RFC 6455) after an upgrade of HTTP/1.1: one exchange a message, of which only the sender's side is filled.
//! Nothing is paired, since either side speaks when it likes.

mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use exchange::Websocket;
