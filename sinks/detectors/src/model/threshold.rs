//! `threshold`: the score is the largest of the features.

use serde::Deserialize;

use super::{Item, Scorer, positions};
use crate::manifest::Manifest;

/// `[model] kind = "threshold"`.
#[derive(Debug, Clone, PartialEq, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The features that are the score; all if none is named.
    pub of: Vec<String>,
}

/// The scorer.
#[derive(Debug)]
pub struct Threshold {
    of: Vec<usize>,
}

impl Threshold {
    pub(super) fn new(config: &Config, manifest: &Manifest) -> Self {
        Self { of: positions(&config.of, manifest) }
    }
}

impl Scorer for Threshold {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        for item in items {
            let values = self.of.iter().filter_map(|&at| item.features.get(at));
            item.score = values.map(|value| f64::from(*value)).reduce(f64::max);
        }
        Ok(())
    }
}
