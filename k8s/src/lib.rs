//! What the cluster says of pods, services and addresses, as changes of metadata tables.

pub mod batches;
mod decode;
pub mod events;
pub mod facts;
pub mod object;
pub mod watch;
