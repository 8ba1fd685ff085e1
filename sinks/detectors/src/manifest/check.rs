//! What must hold of a manifest: by itself, and against the view that it reads.

use super::{Manifest, ManifestError};

/// Longest name of a detector.
const LONGEST_NAME: usize = 63;
/// Features that a model may have.
const MOST_FEATURES: usize = 64;
/// Columns that may name a subject.
const MOST_SUBJECT_COLUMNS: usize = 8;
/// Subjects that a detector may remember.
const MOST_SUBJECTS: usize = 1_000_000;
/// Shortest time between batches: a tick.
const SHORTEST_MS: u128 = 100;

/// A column of the view that a detector reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureColumn {
    /// Its name.
    pub name: String,
    /// Whether its values are numbers.
    pub is_numeric: bool,
}

impl Manifest {
    /// What must hold whatever the view is.
    pub(super) fn check_itself(&self) -> Result<(), ManifestError> {
        self.check_name()?;
        match (&self.view, &self.script) {
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => return wrong("`view` and `script` are both given; keep one"),
            (None, None) => return wrong("give a `view`, or a `script` with a file's name"),
        }
        if self.subject.is_empty() || self.subject.len() > MOST_SUBJECT_COLUMNS {
            return wrong(format!("`subject` names 1 to {MOST_SUBJECT_COLUMNS} columns, not {}", self.subject.len()));
        }
        if self.features.is_empty() || self.features.len() > MOST_FEATURES {
            return wrong(format!("`features` names 1 to {MOST_FEATURES} columns, not {}", self.features.len()));
        }
        for (position, feature) in self.features.iter().enumerate() {
            if self.features[..position].contains(feature) {
                return wrong(format!("`features` names `{feature}` twice"));
            }
        }
        if self.every.0.as_millis() < SHORTEST_MS {
            return wrong(format!("`every` is {}; a tick of {SHORTEST_MS}ms is the shortest", self.every));
        }
        if self.state.subjects == 0 || self.state.subjects > MOST_SUBJECTS {
            return wrong(format!("state: `subjects` is between 1 and {MOST_SUBJECTS}, not {}", self.state.subjects));
        }
        self.check_flag()?;
        self.check_features("combine", self.combine.keys())?;
        self.check_features("flag: `at_least`", self.flag.at_least.keys())?;
        self.check_features("model", self.model.of())?;
        self.model.check().map_err(|message| ManifestError(format!("model: {message}")))
    }

    /// What must hold against the columns of the view.
    ///
    /// # Errors
    /// When a subject or feature is no column of it, or a feature no number.
    pub fn check_against(&self, columns: &[FeatureColumn], origin: &str) -> Result<(), ManifestError> {
        let source = self.source();
        let column = |what: &str, name: &String| {
            let known = || columns.iter().map(|column| column.name.as_str());
            columns.iter().find(|column| column.name == *name).ok_or_else(|| {
                let hint = hint(name, known());
                ManifestError(format!("{origin}: `{source}` has no column `{name}` for `{what}`{hint}"))
            })
        };
        for name in &self.subject {
            column("subject", name)?;
        }
        for name in self.only.keys() {
            column("only", name)?;
        }
        for name in &self.features {
            if !column("features", name)?.is_numeric {
                return wrong(format!("{origin}: feature `{name}` of `{source}` is not a number"));
            }
        }
        Ok(())
    }

    fn check_name(&self) -> Result<(), ManifestError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let starts_well = self.name.starts_with(|c: char| c.is_ascii_lowercase());
        if starts_well && self.name.chars().all(plain) && self.name.len() <= LONGEST_NAME {
            return Ok(());
        }
        wrong(format!(
            "`{}` is no name of a detector: lower-case letters, digits, `-` and `_`, beginning with a letter, at most \
             {LONGEST_NAME}",
            self.name
        ))
    }

    fn check_flag(&self) -> Result<(), ManifestError> {
        let levels = self.levels();
        if !levels.above.is_finite() || !levels.clear_below.is_finite() {
            return wrong("flag: `above` and `clear_below` are finite numbers");
        }
        if levels.clear_below > levels.above {
            return wrong(format!(
                "flag: `clear_below` {} is over `above` {}; a flag would go as it comes",
                levels.clear_below, levels.above
            ));
        }
        Ok(())
    }

    fn check_features<'a>(
        &self,
        place: &str,
        names: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), ManifestError> {
        for name in names {
            if self.feature(name).is_none() {
                let hint = hint(name, self.features.iter().map(String::as_str));
                return wrong(format!("{place} names `{name}`, which is not among `features`{hint}"));
            }
        }
        Ok(())
    }
}

fn wrong<T>(message: impl Into<String>) -> Result<T, ManifestError> {
    Err(ManifestError(message.into()))
}

/// The known name most like the one given, else all of them.
fn hint<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = known.clone().map(|other| (strsim::jaro_winkler(name, other), other));
    match near.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, near)) => format!("; did you mean `{near}`?"),
        None => format!("; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
