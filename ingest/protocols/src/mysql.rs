//! MySQL and MariaDB: commands with their answers, parameters of prepared statements filled in, in clear or compressed.

mod compression;
mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod response;
mod statement;
#[cfg(test)]
mod tests;

pub use exchange::Mysql;
