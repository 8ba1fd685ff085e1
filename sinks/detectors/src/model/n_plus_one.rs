//! `n_plus_one`: how often one statement is sent for each request that is served meanwhile. A page that asks the
//! database once for a list and then once more for each of its lines has a score as high as the list is long.

use serde::Deserialize;

use super::{Item, Scorer};
use crate::manifest::Manifest;

/// `[model] kind = "n_plus_one"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The feature that counts how often the statement was sent.
    pub queries: String,
    /// The feature that counts the requests during which it was.
    pub requests: String,
    /// Fewer statements than these have no score.
    pub at_least: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { queries: "queries".to_owned(), requests: "requests".to_owned(), at_least: 20.0 }
    }
}

/// The scorer.
#[derive(Debug)]
pub(super) struct NPlusOne {
    queries: usize,
    requests: usize,
    at_least: f64,
}

impl NPlusOne {
    pub(super) fn new(config: &Config, manifest: &Manifest) -> Result<Self, String> {
        let position = |name: &String| manifest.feature(name).ok_or_else(|| format!("`features` lacks `{name}`"));
        Ok(Self {
            queries: position(&config.queries)?,
            requests: position(&config.requests)?,
            at_least: config.at_least,
        })
    }
}

impl Scorer for NPlusOne {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        for item in items {
            let queries = f64::from(item.features[self.queries]);
            let requests = f64::from(item.features[self.requests]);
            // Without a request it is a job of its own, such as a migration.
            item.score = (queries >= self.at_least && requests >= 1.0).then(|| queries / requests);
        }
        Ok(())
    }
}
