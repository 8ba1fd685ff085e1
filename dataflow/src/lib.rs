//! Keeps views up to date: the table store, Timely workers, plans rendered as dataflows, and subscriptions that get a
//! snapshot and then every change. At each `Progress(T)` the rows added up are what the same script answers at `T`.

mod aggregate;
mod alike;
mod codec;
mod error;
mod group;
mod handle;
mod introspection;
mod keys;
mod losses;
mod merging;
mod meters;
mod multiset;
mod owners;
mod pane;
mod panes;
mod publish;
mod queue;
mod recall;
mod render;
mod rest;
mod scan;
mod sequencer;
mod shared;
mod store;
mod stored;
mod subscription;
mod vector;
mod worker;

pub use error::Error;
pub use handle::{Config, Dataflow, Input, Running, ViewStatus};
pub use store::{StoreSnapshot, TableStatus};
pub use subscription::{Delivery, Pace, SubscribeOptions, Subscription};

#[cfg(test)]
mod tests;
