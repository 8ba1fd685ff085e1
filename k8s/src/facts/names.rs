//! What objects are named by that belongs to others: owners and services.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::index::selects;
use super::{Facts, State};
use crate::object::{Body, Object, Owner, Pod};

/// Longest chain of owners that is followed.
pub(super) const OWNERS_MAX: usize = 8;

/// What an object is named by.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Names {
    /// The controlling owners from the nearest upwards, as far as they are known.
    pub(super) owners: Vec<Owner>,
    /// Names and uids of the pod's services, sorted by name.
    pub(super) services: BTreeSet<(String, String)>,
}

impl Facts {
    /// What an object that ended at that time, 0 for none, is named by.
    pub(super) fn names_of(&self, object: &Object, stop_ns: i64) -> Names {
        match &object.body {
            Body::Pod(pod) => Names { owners: self.owners(object), services: self.services(object, pod, stop_ns) },
            Body::ReplicaSet(_) => Names { owners: self.owners(object), ..Names::default() },
            _ => Names::default(),
        }
    }

    fn owners(&self, object: &Object) -> Vec<Owner> {
        let mut owners = Vec::new();
        let mut next = object.owners.first().cloned();
        while let Some(owner) = next
            && owners.len() < OWNERS_MAX
        {
            let held = self.held.get(&owner.uid).map(|held| held.state.object.unpack());
            next = held.and_then(|object| object.owners.into_iter().next());
            owners.push(owner);
        }
        owners
    }

    /// A deleted service counts for pods that went before it.
    fn services(&self, object: &Object, pod: &Pod, stop_ns: i64) -> BTreeSet<(String, String)> {
        let state = |uid| self.held.get(uid).map(|held| &held.state);
        let selecting = (self.index.maybe_selecting(&object.namespace, pod))
            .filter_map(|uid| Some((state(uid)?, state(uid)?.object.unpack())))
            .filter(|(_, service)| matches!(&service.body, Body::Service(service) if selects(service, pod)));
        let slices = self.index.slices_with(&object.uid).filter_map(state).filter(|slice| slice.stop_ns == 0);
        let sliced = slices.map(|slice| slice.object.unpack()).filter_map(|slice| match &slice.body {
            Body::EndpointSlice { service, .. } => Some(format!("{}/{service}", slice.namespace)),
            _ => None,
        });
        let sliced: BTreeSet<_> = sliced.collect();
        let named = sliced.iter().flat_map(|name| self.index.services_named(name));
        let named = named.filter_map(|uid| Some((state(uid)?, state(uid)?.object.unpack())));
        let counts = |service: &State| service.stop_ns == 0 || (stop_ns != 0 && stop_ns <= service.stop_ns);
        (selecting.chain(named))
            .filter(|(state, _)| counts(state))
            .map(|(_, service)| (service.full_name(), service.uid.to_string()))
            .collect()
    }
}
