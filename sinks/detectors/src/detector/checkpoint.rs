//! What a detector knows, as it is kept over a restart.

use serde::{Deserialize, Serialize};

use super::{Detector, Subjects};
use crate::manifest::Manifest;

/// What was learned, and under which manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    kind: String,
    subject: Vec<String>,
    features: Vec<String>,
    subjects: Subjects,
    learned: Option<serde_json::Value>,
}

impl Detector {
    /// What it knows.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        let Manifest { model, subject, features, .. } = &self.manifest;
        Checkpoint {
            kind: model.name().to_owned(),
            subject: subject.clone(),
            features: features.clone(),
            subjects: self.subjects.clone(),
            learned: self.scorer.learned(),
        }
    }

    /// Goes on with what was known before; false, and nothing is taken over, when that was learned from something else.
    pub fn recall(&mut self, checkpoint: Checkpoint) -> bool {
        let Manifest { model, subject, features, .. } = &self.manifest;
        if checkpoint.kind != model.name() || checkpoint.subject != *subject || checkpoint.features != *features {
            return false;
        }
        self.subjects = checkpoint.subjects;
        self.subjects.restart();
        if let Some(learned) = checkpoint.learned {
            self.scorer.recall(learned);
        }
        true
    }
}
