//! Who takes names from whom: what must be looked at again when an object changes, and what a pod is named by.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use crate::object::{Body, Object, Pod, Service};

type Uid = Arc<str>;

/// Objects by what they are found by. Every set holds uids.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By namespace and each label.
    pods_by_label: Sets<String>,
    children_by_owner: Sets<Uid>,
    /// By namespace and the first label of the selector.
    services_by_label: Sets<String>,
    services_by_name: Sets<String>,
    slices_by_service: Sets<String>,
    slices_by_pod: Sets<Uid>,
}

impl Index {
    pub(super) fn insert(&mut self, object: &Object) {
        self.each_set(object, |sets, key, uid| sets.insert(key, uid), |sets, key, uid| sets.insert(key, uid));
    }

    pub(super) fn remove(&mut self, object: &Object) {
        self.each_set(object, |sets, key, uid| sets.remove(&key, uid), |sets, key, uid| sets.remove(&key, uid));
    }

    fn each_set(
        &mut self,
        object: &Object,
        by_text: impl Fn(&mut Sets<String>, String, &Uid),
        by_uid: impl Fn(&mut Sets<Uid>, Uid, &Uid),
    ) {
        let uid = &object.uid;
        if let Some(owner) = object.owners.first() {
            by_uid(&mut self.children_by_owner, Arc::clone(&owner.uid), uid);
        }
        match &object.body {
            Body::Pod(pod) => {
                let labels = pod.labels.iter().map(|(key, value)| label(&object.namespace, key, value));
                labels.for_each(|label| by_text(&mut self.pods_by_label, label, uid));
            }
            Body::Service(service) => {
                by_text(&mut self.services_by_name, object.full_name(), uid);
                if let Some((key, value)) = service.selector.first_key_value() {
                    by_text(&mut self.services_by_label, label(&object.namespace, key, value), uid);
                }
            }
            Body::EndpointSlice { service, pods } => {
                by_text(&mut self.slices_by_service, format!("{}/{service}", object.namespace), uid);
                pods.iter().for_each(|pod| by_uid(&mut self.slices_by_pod, Arc::clone(pod), uid));
            }
            Body::Node { .. } | Body::Namespace | Body::ReplicaSet(_) | Body::Deployment(_) | Body::Owner(_) => {}
        }
    }

    /// Services whose selector may choose a pod with these labels.
    pub(super) fn maybe_selecting<'a>(&'a self, namespace: &'a str, pod: &'a Pod) -> impl Iterator<Item = &'a Uid> {
        pod.labels.iter().flat_map(move |(key, value)| self.services_by_label.of(&label(namespace, key, value)))
    }

    /// Services of that `namespace/name`: the living one and those before it.
    pub(super) fn services_named(&self, full_name: &str) -> impl Iterator<Item = &Uid> {
        self.services_by_name.of(full_name)
    }

    /// Slices that name a pod.
    pub(super) fn slices_with(&self, pod: &str) -> impl Iterator<Item = &Uid> {
        self.slices_by_pod.of(pod)
    }

    /// Slices of a service.
    pub(super) fn slices_of(&self, service: &Object) -> impl Iterator<Item = &Uid> {
        self.slices_by_service.of(&service.full_name())
    }

    /// Pods that a service's selector may choose.
    pub(super) fn maybe_selected(&self, namespace: &str, service: &Service) -> impl Iterator<Item = &Uid> {
        let first = service.selector.first_key_value().map(|(key, value)| label(namespace, key, value));
        first.into_iter().flat_map(|label| self.pods_by_label.of(&label))
    }

    /// What has an object as its owner, nearest first, over at most `generations`.
    pub(super) fn descendants(&self, owner: &Uid, generations: usize) -> BTreeSet<Uid> {
        let mut found = BTreeSet::new();
        let mut parents = vec![Arc::clone(owner)];
        for _ in 0..generations {
            let children = parents.iter().flat_map(|parent| self.children_by_owner.of(&**parent));
            parents = children.filter(|child| !found.contains(*child)).cloned().collect();
            found.extend(parents.iter().cloned());
        }
        found
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let texts = [&self.pods_by_label, &self.services_by_label, &self.services_by_name, &self.slices_by_service];
        texts.iter().all(|sets| sets.0.is_empty())
            && self.children_by_owner.0.is_empty()
            && self.slices_by_pod.0.is_empty()
    }
}

fn label(namespace: &str, key: &str, value: &str) -> String {
    format!("{namespace}/{key}={value}")
}

/// Whether a service chooses a pod by its labels.
pub(super) fn selects(service: &Service, pod: &Pod) -> bool {
    !service.selector.is_empty()
        && service.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value.as_str()))
}

/// Sets that are not kept when they are empty.
#[derive(Debug)]
struct Sets<K>(HashMap<K, Uids>);

/// Mostly one; a set of one would take the room of eleven.
#[derive(Debug)]
enum Uids {
    One(Uid),
    Many(BTreeSet<Uid>),
}

impl<K> Default for Sets<K> {
    fn default() -> Self {
        Sets(HashMap::new())
    }
}

impl<K: Hash + Eq> Sets<K> {
    fn insert(&mut self, key: K, uid: &Uid) {
        match self.0.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(Uids::One(Arc::clone(uid)))),
            Entry::Occupied(mut entry) => match entry.get_mut() {
                Uids::One(one) => {
                    let both = [Arc::clone(one), Arc::clone(uid)];
                    entry.insert(Uids::Many(both.into()));
                }
                Uids::Many(uids) => drop(uids.insert(Arc::clone(uid))),
            },
        }
    }

    fn remove(&mut self, key: &K, uid: &Uid) {
        let empty = match self.0.get_mut(key) {
            Some(Uids::One(one)) => one == uid,
            Some(Uids::Many(uids)) => {
                uids.remove(uid);
                uids.is_empty()
            }
            None => false,
        };
        if empty {
            self.0.remove(key);
        }
    }

    fn of<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> impl Iterator<Item = &Uid> + use<'_, K, Q>
    where
        K: std::borrow::Borrow<Q>,
    {
        let (one, many) = match self.0.get(key) {
            Some(Uids::One(uid)) => (Some(uid), None),
            Some(Uids::Many(uids)) => (None, Some(uids)),
            None => (None, None),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}
