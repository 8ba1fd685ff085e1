//! The kinds of models: what a manifest says of one, and what scores a batch.

mod baseline;
pub mod ewma;
pub mod half_space_trees;
mod moments;
pub mod n_plus_one;
pub mod novelty;
pub mod onnx;
pub mod robust_z;
pub mod seasonal;
pub mod threshold;

use serde::Deserialize;

pub use baseline::{Deviation, Direction, Memory};

use crate::manifest::Manifest;

/// A subject of a batch: what is known of it, and what the model says of it.
#[derive(Debug)]
pub struct Item<'a> {
    /// Time of the batch, in nanoseconds since the epoch.
    pub time: i64,
    /// Features in the manifest's order; all finite.
    pub features: &'a [f32],
    /// What the model remembers of the subject.
    pub memory: &'a mut Vec<Memory>,
    /// What the model says: `None` until it knows what is normal.
    pub score: Option<f64>,
    /// What each feature normally is, where the model has a notion of it.
    pub baseline: Vec<Option<f64>>,
}

/// Scores batches of subjects and learns from them.
pub trait Scorer: Send {
    /// Fills in the scores of a batch; an error suspends the detector.
    ///
    /// # Errors
    /// When the model cannot be run on the batch.
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String>;

    /// Subjects of a batch that may be scored before the rest, so that a batch over its budget need not be ended.
    fn part(&self) -> usize {
        usize::MAX
    }

    /// Bytes that it holds beside what it remembers of subjects.
    fn bytes(&self) -> usize {
        0
    }

    /// What it learned of all subjects together, for a checkpoint.
    fn learned(&self) -> Option<serde_json::Value> {
        None
    }

    /// Goes on with what it learned before.
    fn recall(&mut self, _learned: serde_json::Value) {}
}

/// The model of a manifest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A feature itself.
    Threshold(threshold::Config),
    /// Deviations from a moving mean.
    Ewma(ewma::Config),
    /// Deviations from the median of a window.
    RobustZ(robust_z::Config),
    /// Deviations from the same hour of the weeks before.
    Seasonal(seasonal::Config),
    /// Sparseness among all that was seen lately.
    HalfSpaceTrees(half_space_trees::Config),
    /// Statements sent for each request.
    NPlusOne(n_plus_one::Config),
    /// Subjects that were never seen before.
    Novelty(novelty::Config),
    /// A model trained elsewhere.
    Onnx(onnx::Config),
}

impl Kind {
    /// As manifests write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Threshold(_) => "threshold",
            Kind::Ewma(_) => "ewma",
            Kind::RobustZ(_) => "robust_z",
            Kind::Seasonal(_) => "seasonal",
            Kind::HalfSpaceTrees(_) => "half_space_trees",
            Kind::NPlusOne(_) => "n_plus_one",
            Kind::Novelty(_) => "novelty",
            Kind::Onnx(_) => "onnx",
        }
    }

    /// The file that holds it, as the manifest names it.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Kind::Threshold(_)
            | Kind::Ewma(_)
            | Kind::RobustZ(_)
            | Kind::Seasonal(_)
            | Kind::HalfSpaceTrees(_)
            | Kind::NPlusOne(_)
            | Kind::Novelty(_) => None,
            Kind::Onnx(config) => Some(&config.file),
        }
    }

    /// Names of the features that its section speaks of.
    #[must_use]
    pub fn of(&self) -> Vec<&String> {
        match self {
            Kind::Threshold(config) => config.of.iter().collect(),
            Kind::Ewma(config) => config.deviation.names(),
            Kind::RobustZ(config) => config.deviation.names(),
            Kind::Seasonal(config) => config.deviation.names(),
            Kind::HalfSpaceTrees(_) | Kind::Novelty(_) | Kind::Onnx(_) => Vec::new(),
            Kind::NPlusOne(config) => vec![&config.queries, &config.requests],
        }
    }

    /// What must hold of its section.
    ///
    /// # Errors
    /// When a value makes no sense.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Kind::Threshold(_) => Ok(()),
            Kind::Ewma(config) => config.check(),
            Kind::RobustZ(config) => config.check(),
            Kind::Seasonal(config) => config.check(),
            Kind::HalfSpaceTrees(config) => config.check(),
            Kind::NPlusOne(_) => Ok(()),
            Kind::Novelty(config) => config.check(),
            Kind::Onnx(config) => config.check(),
        }
    }
}

/// Whether what one remembers of a subject means the same to the other.
pub(crate) fn remembers_alike(before: &Kind, after: &Kind) -> bool {
    let deviation_of = |kind: &Kind| match kind {
        Kind::Threshold(_) | Kind::HalfSpaceTrees(_) | Kind::NPlusOne(_) | Kind::Novelty(_) | Kind::Onnx(_) => None,
        Kind::Ewma(config) => Some(config.deviation.of.clone()),
        Kind::RobustZ(config) => Some(config.deviation.of.clone()),
        Kind::Seasonal(config) => Some(config.deviation.of.clone()),
    };
    before.name() == after.name() && deviation_of(before) == deviation_of(after)
}

/// The scorer of a manifest's model; `file` is what the model's file holds, empty where it has none.
///
/// # Errors
/// When it cannot be built, in one line.
pub fn build(manifest: &Manifest, file: &[u8]) -> Result<Box<dyn Scorer>, String> {
    Ok(match &manifest.model {
        Kind::Threshold(config) => Box::new(threshold::Threshold::new(config, manifest)),
        Kind::Ewma(config) => Box::new(baseline::Baseline::new(config.learner(), &config.deviation, manifest)),
        Kind::RobustZ(config) => Box::new(baseline::Baseline::new(config.learner(), &config.deviation, manifest)),
        Kind::Seasonal(config) => Box::new(baseline::Baseline::new(config.learner(), &config.deviation, manifest)),
        Kind::HalfSpaceTrees(config) => Box::new(half_space_trees::Forest::new(config)),
        Kind::NPlusOne(config) => Box::new(n_plus_one::NPlusOne::new(config, manifest)?),
        Kind::Novelty(config) => Box::new(novelty::Novelty::new(config)),
        Kind::Onnx(config) => Box::new(onnx::load(config, file, manifest)?),
    })
}

/// Positions of the named features, all if none is named.
fn positions(names: &[String], manifest: &Manifest) -> Vec<usize> {
    match names.is_empty() {
        true => (0..manifest.features.len()).collect(),
        false => names.iter().filter_map(|name| manifest.feature(name)).collect(),
    }
}

#[cfg(test)]
mod tests;
