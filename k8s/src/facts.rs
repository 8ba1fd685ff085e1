//! The cluster as known, kept as rows of metadata tables. Pure: time and objects are arguments.

mod addresses;
mod index;
mod names;
mod packed;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::events;
use crate::object::{Body, Kind, Object};
use addresses::{Addresses, claims_of, places_of};
use index::{Index, selects};
use names::{Names, OWNERS_MAX};
use packed::Packed;
use row::rows_of;

pub use row::{Row, Value};

/// News of the cluster. Repeated and overtaken news change nothing.
#[derive(Debug, Clone)]
pub enum News {
    /// An object appeared or changed.
    Applied(Object),
    /// An object went, with its last state, at nanoseconds since the epoch.
    Deleted(Object, i64),
    /// All objects of a kind as of a resource version, which were applied already: those missing went in between.
    Listed {
        /// The kind.
        kind: Kind,
        /// uids of all of them.
        uids: HashSet<Arc<str>>,
        /// Version of the list; objects that changed after it are not missing from it.
        version: u64,
        /// When the list was taken, nanoseconds since the epoch.
        at_ns: i64,
    },
}

/// Objects that are held at most.
const OBJECTS_MAX: usize = 500_000;

/// A row that appeared (+1) or went (-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The row.
    pub row: Row,
    /// +1 or -1.
    pub diff: i64,
}

impl Change {
    /// What makes `after` out of `before`; each has a row at most once.
    pub(crate) fn between(before: Vec<Row>, after: &[Row], changes: &mut Vec<Change>) {
        let come = after.iter().filter(|row| !before.contains(row));
        changes.extend(come.map(|row| Change { row: row.clone(), diff: 1 }));
        let gone = before.into_iter().filter(|row| !after.contains(row));
        changes.extend(gone.map(|row| Change { row, diff: -1 }));
    }
}

#[derive(Debug)]
struct Held {
    kind: Kind,
    version: u64,
    state: State,
    /// The end was seen when it came, not found out later.
    seen: bool,
    told: Option<Told>,
}

#[derive(Debug, Clone)]
struct State {
    object: Packed<Object>,
    /// 0 while it exists.
    stop_ns: i64,
}

/// What the rows were made of that were told last: less than they are, and they can be made again.
#[derive(Debug)]
struct Told {
    state: State,
    names: Packed<Names>,
}

impl Told {
    fn rows(&self, object: &Object) -> Vec<Row> {
        rows_of(object, self.state.stop_ns, &self.names.unpack())
    }
}

/// All objects that are known, and the rows that were told of them.
#[derive(Debug)]
pub struct Facts {
    retention_ns: i64,
    held: HashMap<Arc<str>, Held>,
    index: Index,
    addresses: Addresses,
    stopped: BTreeSet<(i64, Arc<str>)>,
    dirty: HashSet<Arc<str>>,
    gone: Vec<Change>,
    events: Vec<Row>,
    since_ns: Option<i64>,
    now_ns: i64,
    living: HashMap<Kind, usize>,
    refused: HashMap<Kind, u64>,
}

impl Facts {
    /// Deleted pods stay for `retention_ns`; what pods are named by stays twice as long, to outlive them.
    #[must_use]
    pub fn new(retention_ns: i64) -> Self {
        Self {
            retention_ns,
            held: HashMap::new(),
            index: Index::default(),
            addresses: Addresses::default(),
            stopped: BTreeSet::new(),
            dirty: HashSet::new(),
            gone: Vec::new(),
            events: Vec::new(),
            since_ns: None,
            now_ns: 0,
            living: HashMap::new(),
            refused: HashMap::new(),
        }
    }

    /// Takes news in.
    pub fn learn(&mut self, news: News) {
        match news {
            News::Applied(object) => self.keep(&object),
            News::Deleted(object, at_ns) => {
                self.keep(&object);
                self.stop(&object.uid, at_ns, true);
            }
            News::Listed { kind, uids, version, at_ns } => self.list(kind, &uids, version, at_ns),
        }
    }

    /// Forgets what was deleted longer ago than the retention. `now_ns` is event time.
    pub fn advance(&mut self, now_ns: i64) {
        self.since_ns.get_or_insert(now_ns);
        self.now_ns = now_ns;
        while let Some((until_ns, uid)) = self.stopped.first().cloned() {
            if until_ns > now_ns {
                break;
            }
            self.stopped.remove(&(until_ns, uid.clone()));
            let Some(held) = self.held.remove(&uid) else { continue };
            self.dirty.remove(&uid);
            let object = held.state.object.unpack();
            self.mark_named(&object);
            self.index.remove(&object);
            if let Some(told) = held.told {
                let object = told.state.object.unpack();
                self.addresses.claim(&uid, places_of(&object), Vec::new());
                Change::between(told.rows(&object), &[], &mut self.gone);
            }
        }
    }

    /// The changes of rows since the last call.
    pub fn changes(&mut self) -> Vec<Change> {
        self.changes_of(usize::MAX)
    }

    /// The same, of so many objects at most; those of others come with a later call.
    pub fn changes_of(&mut self, most: usize) -> Vec<Change> {
        let mut changes = std::mem::take(&mut self.gone);
        let dirty: Vec<_> = self.dirty.iter().take(most).cloned().collect();
        for uid in dirty {
            self.dirty.remove(&uid);
            self.tell(&uid, &mut changes);
        }
        self.addresses.changes(&mut changes);
        changes
    }

    /// What happened to pods since the last call: rows of `pod_events`. Nothing is told before the first
    /// [`Facts::advance`], nor of the past of pods that are older than it.
    pub fn events(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.events)
    }

    /// How many objects are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many objects of a kind exist in the cluster, as far as known.
    #[must_use]
    pub fn living(&self, kind: Kind) -> usize {
        self.living.get(&kind).copied().unwrap_or(0)
    }

    /// How many objects of a kind were not taken in because too many are held.
    #[must_use]
    pub fn refused(&self, kind: Kind) -> u64 {
        self.refused.get(&kind).copied().unwrap_or(0)
    }

    fn tell(&mut self, uid: &Arc<str>, changes: &mut Vec<Change>) {
        let Some(held) = self.held.get(uid) else { return };
        let object = held.state.object.unpack();
        let names = self.names_of(&object, held.state.stop_ns);
        let claims = claims_of(&object, held.state.stop_ns, held.seen);
        let now = Told { state: held.state.clone(), names: Packed::of(&names) };
        let mut claimed = Vec::new();
        if let Some(told) = &held.told {
            let mut before = told.state.object.unpack();
            claimed = places_of(&before);
            hide_unshown(&mut before, &object);
            if told.state.stop_ns != now.state.stop_ns || told.names != now.names || before != object {
                Change::between(told.rows(&before), &now.rows(&object), changes);
            }
        } else {
            Change::between(Vec::new(), &now.rows(&object), changes);
        }
        self.addresses.claim(uid, claimed, claims);
        if let Some(held) = self.held.get_mut(uid) {
            held.told = Some(now);
        }
    }

    fn keep(&mut self, object: &Object) {
        let held = self.held.get(&object.uid);
        if held.is_some_and(|held| held.version >= object.version) {
            return;
        }
        if held.is_none() && self.held.len() >= OBJECTS_MAX {
            *self.refused.entry(object.kind()).or_default() += 1;
            return;
        }
        let before = held.map(|held| held.state.object.unpack());
        let told = self.since_ns.is_some_and(|since_ns| before.is_some() || object.created_ns >= since_ns);
        if told {
            self.events.extend(events::between(before.as_ref(), object, self.now_ns));
        }
        self.dirty.insert(Arc::clone(&object.uid));
        let (kind, version, packed) = (object.kind(), object.version, Packed::of(object));
        if let Some(held) = self.held.get_mut(&object.uid) {
            (held.version, held.state.object) = (version, packed);
        } else {
            *self.living.entry(kind).or_default() += 1;
            let state = State { object: packed, stop_ns: 0 };
            self.held.insert(Arc::clone(&object.uid), Held { kind, version, state, seen: false, told: None });
        }
        if let Some(before) = before {
            if !names_differ(&before, object) {
                return;
            }
            self.mark_named(&before);
            self.index.remove(&before);
        }
        self.index.insert(object);
        self.mark_named(object);
    }

    fn stop(&mut self, uid: &Arc<str>, at_ns: i64, seen: bool) {
        let at_ns = at_ns.max(1);
        let Some(held) = self.held.get_mut(uid) else { return };
        let before_ns = std::mem::replace(&mut held.state.stop_ns, at_ns);
        if before_ns != 0 && (before_ns, !held.seen) <= (at_ns, !seen) {
            held.state.stop_ns = before_ns;
            return;
        }
        held.seen = seen;
        let retention_ns = if held.kind == Kind::Pod { self.retention_ns } else { self.retention_ns * 2 };
        let object = held.state.object.unpack();
        if before_ns == 0 {
            *self.living.entry(held.kind).or_default() -= 1;
            if self.since_ns.is_some() {
                self.events.extend(events::deleted(&object, at_ns));
            }
        } else {
            self.stopped.remove(&(before_ns.saturating_add(retention_ns), Arc::clone(uid)));
        }
        self.stopped.insert((at_ns.saturating_add(retention_ns), Arc::clone(uid)));
        self.dirty.insert(Arc::clone(uid));
        self.mark_named(&object);
    }

    fn list(&mut self, kind: Kind, uids: &HashSet<Arc<str>>, version: u64, at_ns: i64) {
        let missing: Vec<_> = (self.held.iter())
            .filter(|(uid, held)| held.kind == kind && held.state.stop_ns == 0 && !uids.contains(*uid))
            .filter(|(_, held)| held.version <= version)
            .map(|(uid, _)| Arc::clone(uid))
            .collect();
        missing.iter().for_each(|uid| self.stop(uid, at_ns, false));
    }

    /// Marks what may take its names from the object.
    fn mark_named(&mut self, object: &Object) {
        match &object.body {
            Body::Pod(_) | Body::Node { .. } | Body::Namespace => {}
            Body::Service(service) => {
                let maybe = self.index.maybe_selected(&object.namespace, service);
                let selected = maybe.filter(|uid| {
                    let body = self.held.get(*uid).map(|held| held.state.object.unpack().body);
                    matches!(body, Some(Body::Pod(pod)) if selects(service, &pod))
                });
                self.dirty.extend(selected.cloned());
                for slice in self.index.slices_of(object).filter_map(|uid| self.held.get(uid)) {
                    if let Body::EndpointSlice { pods, .. } = slice.state.object.unpack().body {
                        self.dirty.extend(pods);
                    }
                }
            }
            Body::EndpointSlice { pods, .. } => self.dirty.extend(pods.iter().cloned()),
            Body::ReplicaSet(_) | Body::Deployment(_) | Body::Owner(_) => {
                self.dirty.extend(self.index.descendants(&object.uid, OWNERS_MAX));
            }
        }
    }
}

/// Makes alike what no row shows. Most changes of pods are of their readiness.
fn hide_unshown(before: &mut Object, after: &Object) {
    before.version = after.version;
    if let (Body::Pod(before), Body::Pod(after)) = (&mut before.body, &after.body) {
        before.ready = after.ready;
    }
}

/// Whether others may be named differently after a change, or be found differently.
fn names_differ(before: &Object, after: &Object) -> bool {
    if before.owners != after.owners {
        return true;
    }
    match (&before.body, &after.body) {
        (Body::Service(before), Body::Service(after)) => before.selector != after.selector,
        (Body::EndpointSlice { .. }, Body::EndpointSlice { .. }) => before.body != after.body,
        (Body::Pod(before), Body::Pod(after)) => before.labels != after.labels,
        _ => false,
    }
}
