//! A detector's manifest: TOML to types, with every mistake told in one line.

mod check;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use check::FeatureColumn;

use crate::flag::Levels;
use crate::model::Kind;
use crate::quantities::{Bytes, Span};

/// What is wrong with a manifest, in one line: where, what, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(pub String);

/// What to watch, how to score it and when to flag it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the detector: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// One sentence for `detector list`.
    #[serde(default)]
    pub doc: String,
    /// Whether it scores; a bundled detector is switched off by applying it without.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The view whose rows are scored; either this or `script`.
    pub view: Option<String>,
    /// File of a script whose rows are scored.
    pub script: Option<String>,
    /// Columns whose values name what is scored.
    pub subject: Vec<String>,
    /// Columns that the model sees, in its order.
    pub features: Vec<String>,
    /// Values that a column of text must have for a row to count, by column.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<String>>,
    /// How often there is a batch, in the time of ticks.
    pub every: Span,
    /// How several rows of one subject become one; `max` where nothing is said.
    #[serde(default)]
    pub combine: BTreeMap<String, Combine>,
    /// The model.
    pub model: Kind,
    /// When a score is a flag.
    pub flag: Flag,
    /// What a batch may cost.
    #[serde(default)]
    pub budget: Budget,
    /// How much is remembered.
    #[serde(default)]
    pub state: StateLimits,
}

/// How the values of several rows of one subject become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// All together.
    Sum,
    /// Their mean.
    Mean,
}

/// When a score is a flag.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flag {
    /// A score above this is suspicious.
    pub above: f64,
    /// A flag goes when the score is below this; `above` if nothing is said.
    pub clear_below: Option<f64>,
    /// The score must have been above for so long.
    #[serde(default, rename = "for")]
    pub for_: Span,
    /// Features that must be at least so large, or the subject has no score.
    #[serde(default)]
    pub at_least: BTreeMap<String, f64>,
    /// What users are told; the features and the baseline if nothing is said.
    #[serde(default)]
    pub reason: String,
}

/// What a batch may cost; who exceeds it is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// CPU time of one batch.
    pub time_per_batch: Span,
    /// Bytes of model and state.
    pub memory: Bytes,
}

impl Default for Budget {
    fn default() -> Self {
        Self { time_per_batch: Span(std::time::Duration::from_millis(50)), memory: Bytes::mebibytes(64) }
    }
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateLimits {
    /// Subjects that are remembered; the longest unseen goes first.
    pub subjects: usize,
    /// A subject that was not seen for so long is forgotten.
    pub max_age: Span,
    /// What a subject that is no longer in the view means.
    pub absent: Absent,
    /// After a start nothing is scored for so long, since windows are filling up.
    pub settle: Span,
}

impl Default for StateLimits {
    fn default() -> Self {
        Self {
            subjects: 10_000,
            max_age: Span::seconds(7 * 24 * 3600),
            absent: Absent::Unknown,
            settle: Span::default(),
        }
    }
}

/// What a subject that is no longer in the view means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Nothing is known of it: its flag goes.
    Unknown,
    /// All its features are 0, until it is forgotten.
    Zero,
}

impl Manifest {
    /// Reads a manifest; `origin` is the file that errors name.
    ///
    /// # Errors
    /// When it is no TOML, lacks something, or contradicts itself.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let manifest: Manifest = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            ManifestError(format!("{origin}:{line}: {}", error.message().replace('\n', ", ")))
        })?;
        manifest.check_itself().map_err(|ManifestError(message)| ManifestError(format!("{origin}: {message}")))?;
        Ok(manifest)
    }

    /// The view or script that it reads.
    #[must_use]
    pub fn source(&self) -> &str {
        self.view.as_deref().or(self.script.as_deref()).unwrap_or_default()
    }

    /// The levels of its flag.
    #[must_use]
    pub fn levels(&self) -> Levels {
        Levels {
            above: self.flag.above,
            clear_below: self.flag.clear_below.unwrap_or(self.flag.above),
            for_ns: self.flag.for_.as_nanoseconds(),
        }
    }

    /// Whether these are as many finite numbers as features are named.
    #[must_use]
    pub fn is_usable(&self, features: &[f32]) -> bool {
        features.len() == self.features.len() && features.iter().all(|value| value.is_finite())
    }

    /// Whether these features are usable and large enough for a score.
    #[must_use]
    pub fn is_enough(&self, features: &[f32]) -> bool {
        let is_large =
            |name: &String, least: f64| self.feature(name).is_some_and(|at| f64::from(features[at]) >= least);
        self.is_usable(features) && self.flag.at_least.iter().all(|(name, least)| is_large(name, *least))
    }

    /// Position of a feature.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|feature| feature == name)
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
