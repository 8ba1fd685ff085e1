//! HTTP/2 and gRPC from the byte stream: frames, header compression, streams. A connection met in the middle knows no
//! header table: what refers to it is marked, and what is added from then on is known.

mod body;
mod exchange;
mod frame;
pub mod fuzz;
mod hpack;
mod huffman;
mod infer;
mod protobuf;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Http2;
