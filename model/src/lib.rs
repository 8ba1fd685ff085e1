//! The nouns that cross a crate boundary: table definitions, ids, time, histogram buckets and the ticks that carry
//! data from ingest to the dataflow. No I/O, no async, no timely.

pub mod cells;
pub mod columns;
pub mod fixed;
pub mod histogram;
pub mod json;
pub mod sizes;
pub mod tables;
pub mod tick;
pub mod upid;

pub use columns::{Column, DataType, Pattern, Semantic, Storage};
pub use fixed::Fixed;
pub use tables::{Kind, Table};
pub use tick::{Loss, StateChange, Tick, TickTime};
pub use upid::Upid;
