//! Scripts to plans: SQL and PxL become DataFusion's `LogicalPlan`, which is executed once over a snapshot of the tables.
//! [`view::ViewPlan`] is the shape that the dataflow keeps up to date.

pub mod bundled;
pub mod execute;
mod explain;
pub mod functions;
mod hoist;
pub mod lower;
mod meaning;
mod metadata;
mod nesting;
mod preaggregate;
mod prepare;
pub mod pxl;
pub mod render;
pub mod script;
pub mod tracepoint;
pub mod view;
mod virtual_columns;
mod window;

pub use bundled::{Bundled, bundled};
pub use execute::{QueryError, Snapshot, execute, reads_since};
pub use explain::{Explanation, explain};
pub use lower::{Refusal, lower};
pub use render::{render_column, render_columns};
pub use script::{Catalog, Export, Inputs, OutputColumn, Script, ScriptError, ScriptTable, compile, compile_with};
pub use virtual_columns::{VIRTUAL_COLUMNS, VirtualColumn};

#[cfg(test)]
mod tests;
