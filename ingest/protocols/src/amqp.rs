//! AMQP 0-9-1, as `RabbitMQ` speaks it: methods with their answers by channel, and content with the method it follows.

mod arguments;
mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod method;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use exchange::Amqp;
