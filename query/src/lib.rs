//! Scripts to plans: SQL becomes DataFusion's `LogicalPlan`, which is executed once over a snapshot of the tables.
//! [`view::ViewPlan`] is the shape that the dataflow keeps up to date.

pub mod bundled;
pub mod execute;
pub mod functions;
pub mod lower;
mod meaning;
mod prepare;
pub mod render;
pub mod script;
pub mod view;
mod window;

pub use bundled::{Bundled, bundled};
pub use execute::{QueryError, Snapshot, execute};
pub use lower::{Refusal, lower};
pub use render::render_columns;
pub use script::{Catalog, OutputColumn, Script, ScriptError, ScriptTable, compile};

#[cfg(test)]
mod tests;
