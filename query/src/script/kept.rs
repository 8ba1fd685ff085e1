//! The plans that are kept up, by the names of their views.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use crate::view::ViewPlan;
use crate::view::identity;
use crate::view::sharing::shareable;

/// Plans by view.
#[derive(Debug, Default)]
pub(super) struct Kept(RwLock<BTreeMap<String, Plan>>);

#[derive(Debug)]
struct Plan {
    identity: Option<String>,
    /// Identities of what it shares with other views.
    sides: BTreeSet<String>,
}

impl Kept {
    pub(super) fn keep(&self, name: &str, plan: &ViewPlan) {
        let sides = shareable(&plan.root).into_iter().map(|side| side.identity).collect();
        let plan = Plan { identity: identity::of_view(plan), sides };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), plan);
    }

    pub(super) fn forget(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    pub(super) fn running(&self, plan: &ViewPlan) -> Option<String> {
        let identity = identity::of_view(plan)?;
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(_, kept)| kept.identity.as_ref() == Some(&identity)).map(|(name, _)| name.clone())
    }

    pub(super) fn has_side(&self, identity: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().any(|plan| plan.sides.contains(identity))
    }
}
