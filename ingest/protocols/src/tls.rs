//! TLS handshakes: what the hellos say in clear, and the certificate's subject where it is. Nothing is decrypted.

mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Tls;
