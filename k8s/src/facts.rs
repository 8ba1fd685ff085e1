//! The cluster as known, kept as rows of metadata tables. Pure: time and objects are arguments.

mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::events;
use crate::object::{Body, Kind, Object};

pub use row::{Row, Value};

/// News of the cluster. Repeated and overtaken news change nothing.
#[derive(Debug, Clone)]
pub enum News {
    /// An object appeared or changed.
    Applied(Object),
    /// An object went, with its last state, at nanoseconds since the epoch.
    Deleted(Object, i64),
    /// All objects of a kind as of a resource version: those missing went in between.
    Listed {
        /// The kind.
        kind: Kind,
        /// All of them.
        objects: Vec<Object>,
        /// Version of the list; objects that changed after it are not missing from it.
        version: u64,
        /// When the list was taken, nanoseconds since the epoch.
        at_ns: i64,
    },
}

/// A row that appeared (+1) or went (-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The row.
    pub row: Row,
    /// +1 or -1.
    pub diff: i64,
}

#[derive(Debug)]
struct Held {
    object: Object,
    stop_ns: i64,
    rows: Vec<Row>,
}

/// All objects that are known, and the rows that were told of them.
#[derive(Debug)]
pub struct Facts {
    retention_ns: i64,
    held: HashMap<String, Held>,
    by_namespace: HashMap<String, BTreeSet<String>>,
    stopped: BTreeSet<(i64, String)>,
    dirty: HashSet<String>,
    gone: Vec<Row>,
    events: Vec<Row>,
    since_ns: Option<i64>,
    now_ns: i64,
}

impl Facts {
    /// Deleted pods stay for `retention_ns`; what pods are named by stays twice as long, to outlive them.
    #[must_use]
    pub fn new(retention_ns: i64) -> Self {
        Self {
            retention_ns,
            held: HashMap::new(),
            by_namespace: HashMap::new(),
            stopped: BTreeSet::new(),
            dirty: HashSet::new(),
            gone: Vec::new(),
            events: Vec::new(),
            since_ns: None,
            now_ns: 0,
        }
    }

    /// Takes news in.
    pub fn learn(&mut self, news: News) {
        match news {
            News::Applied(object) => self.keep(object),
            News::Deleted(object, at_ns) => {
                let uid = object.uid.clone();
                self.keep(object);
                self.stop(&uid, at_ns);
            }
            News::Listed { kind, objects, version, at_ns } => self.list(kind, objects, version, at_ns),
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
            self.mark_named(&held.object);
            self.dirty.remove(&uid);
            self.gone.extend(held.rows);
            if let Some(uids) = self.by_namespace.get_mut(&held.object.namespace) {
                uids.remove(&uid);
                if uids.is_empty() {
                    self.by_namespace.remove(&held.object.namespace);
                }
            }
        }
    }

    /// The changes of rows since the last call.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes: Vec<_> = self.gone.drain(..).map(|row| Change { row, diff: -1 }).collect();
        for uid in std::mem::take(&mut self.dirty) {
            let rows = self.rows_of(&uid);
            let Some(held) = self.held.get_mut(&uid) else { continue };
            let before = std::mem::replace(&mut held.rows, rows);
            let after = &held.rows;
            changes.extend(
                after.iter().filter(|row| !before.contains(row)).map(|row| Change { row: row.clone(), diff: 1 }),
            );
            changes.extend(before.into_iter().filter(|row| !after.contains(row)).map(|row| Change { row, diff: -1 }));
        }
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

    fn keep(&mut self, object: Object) {
        let before = self.held.get(&object.uid);
        if before.is_some_and(|held| held.object.version >= object.version) {
            return;
        }
        let told = self.since_ns.is_some_and(|since_ns| before.is_some() || object.created_ns >= since_ns);
        if told {
            self.events.extend(events::between(before.map(|held| &held.object), &object, self.now_ns));
        }
        if before.is_none_or(|held| names_differ(&held.object, &object)) {
            self.mark_named(&object);
        }
        self.dirty.insert(object.uid.clone());
        self.by_namespace.entry(object.namespace.clone()).or_default().insert(object.uid.clone());
        match self.held.get_mut(&object.uid) {
            Some(held) => held.object = object,
            None => {
                self.held.insert(object.uid.clone(), Held { object, stop_ns: 0, rows: Vec::new() });
            }
        }
    }

    fn stop(&mut self, uid: &str, at_ns: i64) {
        let Some(held) = self.held.get_mut(uid) else { return };
        if held.stop_ns != 0 && held.stop_ns <= at_ns {
            return;
        }
        let retention_ns = if held.object.kind() == Kind::Pod { self.retention_ns } else { self.retention_ns * 2 };
        if held.stop_ns == 0 && self.since_ns.is_some() {
            self.events.extend(events::deleted(&held.object, at_ns));
        }
        if held.stop_ns != 0 {
            self.stopped.remove(&(held.stop_ns.saturating_add(retention_ns), uid.to_owned()));
        }
        held.stop_ns = at_ns.max(1);
        self.stopped.insert((held.stop_ns.saturating_add(retention_ns), uid.to_owned()));
        let object = held.object.clone();
        self.dirty.insert(uid.to_owned());
        self.mark_named(&object);
    }

    fn list(&mut self, kind: Kind, objects: Vec<Object>, version: u64, at_ns: i64) {
        let present: HashSet<_> = objects.iter().map(|object| object.uid.clone()).collect();
        let missing: Vec<_> = (self.held.iter())
            .filter(|(uid, held)| held.object.kind() == kind && held.stop_ns == 0 && !present.contains(*uid))
            .filter(|(_, held)| held.object.version <= version)
            .map(|(uid, _)| uid.clone())
            .collect();
        missing.iter().for_each(|uid| self.stop(uid, at_ns));
        objects.into_iter().for_each(|object| self.keep(object));
    }

    /// Marks what may take its names from the object: pods and replica sets of its namespace.
    fn mark_named(&mut self, object: &Object) {
        if matches!(object.body, Body::Pod(_) | Body::Node { .. } | Body::Namespace) {
            return;
        }
        let Some(uids) = self.by_namespace.get(&object.namespace) else { return };
        let named = uids.iter().filter(|uid| {
            self.held.get(*uid).is_some_and(|held| matches!(held.object.body, Body::Pod(_) | Body::ReplicaSet(_)))
        });
        self.dirty.extend(named.cloned());
    }
}

fn names_differ(before: &Object, after: &Object) -> bool {
    if before.owners != after.owners {
        return true;
    }
    match (&before.body, &after.body) {
        (Body::Service(before), Body::Service(after)) => before.selector != after.selector,
        (Body::EndpointSlice { .. }, Body::EndpointSlice { .. }) => before.body != after.body,
        _ => false,
    }
}
