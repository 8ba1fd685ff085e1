//! PostgreSQL: simple and extended queries with their answers in order, parameters filled in. Prepares, sessions and
//! what fails are rows too; binding, closing and syncing are not.

mod exchange;
mod frame;
pub mod fuzz;
mod infer;
mod statement;
mod table;
#[cfg(test)]
mod tests;

pub use exchange::Pgsql;
pub(crate) use statement::literal;
