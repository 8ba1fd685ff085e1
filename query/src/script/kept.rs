//! The plans that are kept up, by the names of their views.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::view::ViewPlan;
use crate::view::identity;

/// Identities of plans by view.
#[derive(Debug, Default)]
pub(super) struct Kept(RwLock<BTreeMap<String, String>>);

impl Kept {
    pub(super) fn keep(&self, name: &str, plan: &ViewPlan) {
        if let Some(identity) = identity::of_view(plan) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), identity);
        }
    }

    pub(super) fn forget(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(super) fn running(&self, plan: &ViewPlan) -> Option<String> {
        let identity = identity::of_view(plan)?;
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(_, kept)| **kept == identity).map(|(name, _)| name.clone())
    }
}
