//! Consumers of consolidated batches `(row, time, diff)` plus frontier. All have one shape ([`Endpoint`]) and are run by
//! one runner ([`Running`]), which bounds what waits, tries again, counts, and never slows the view down.

mod buffer;
mod certificate;
pub mod endpoint;
pub mod feed;
mod file;
mod http;
mod kafka;
mod lines;
pub mod manifest;
pub mod otlp;
mod reader;
mod remote_write;
pub mod retry;
pub mod running;
mod samples;
pub mod status;
mod stdout;
mod webhook;
mod writer;

pub use endpoint::{Batch, Changes, Endpoint, Fault, Written};
pub use feed::{Ended, Event, Feed, Follow, Pending, Shape};
pub use manifest::{Follows, Identity, Kind, Manifest, ManifestError};
pub use running::{Budget, Running};
pub use status::{Phase, Status};
