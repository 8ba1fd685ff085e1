//! Detectors at the edge: manifests, models, bounded state and flags. Pure: rows come as numbers by subject, times as
//! arguments, and flags go as values; no I/O, no clock, no dataflow.

pub mod detector;
pub mod flag;
pub mod manifest;
pub mod model;
pub mod quantities;
mod reason;
pub mod report;

pub use detector::{Change, Checkpoint, Detector, Observation, Raised, trial};
pub use manifest::{FeatureColumn, Manifest, ManifestError};

/// The manifests of `detectors/`, carried in the program: file name and text.
#[must_use]
pub fn bundled() -> &'static [(&'static str, &'static str)] {
    include!(concat!(env!("OUT_DIR"), "/bundled.rs"))
}
