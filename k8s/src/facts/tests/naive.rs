//! What a cluster is, told the slow way: everything is looked through for every question. Shares nothing with the
//! code that it judges but the objects.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::News;
use crate::object::{Body, Kind, Object};

/// An object's newest state, and its end and whether that was found out late.
#[derive(Debug, Clone)]
struct Known {
    object: Object,
    end: Option<(i64, bool)>,
}

/// All that was told, in the order in which it was.
#[derive(Debug, Default)]
pub(super) struct Naive(Vec<Known>);

impl Naive {
    pub(super) fn learn(&mut self, news: &News) {
        match news {
            News::Applied(object) => self.see(object),
            News::Deleted(object, at_ns) => {
                self.see(object);
                self.end(&object.uid, (*at_ns, false));
            }
            News::Listed { kind, uids, version, at_ns } => {
                let missing: Vec<_> = (self.0.iter())
                    .filter(|known| known.object.kind() == *kind && known.object.version <= *version)
                    .filter(|known| !uids.contains(&known.object.uid))
                    .filter(|known| known.end.is_none())
                    .map(|known| known.object.uid.clone())
                    .collect();
                missing.iter().for_each(|uid| self.end(uid, (*at_ns, true)));
            }
        }
    }

    fn see(&mut self, object: &Object) {
        match self.0.iter_mut().find(|known| known.object.uid == object.uid) {
            Some(known) if known.object.version < object.version => known.object = object.clone(),
            Some(_) => {}
            None => self.0.push(Known { object: object.clone(), end: None }),
        }
    }

    fn end(&mut self, uid: &str, end: (i64, bool)) {
        let known = self.0.iter_mut().find(|known| &*known.object.uid == uid).unwrap();
        known.end = Some(known.end.map_or(end, |earlier| earlier.min(end)));
    }

    /// What is kept at a time.
    pub(super) fn forget(&mut self, now_ns: i64, retention_ns: i64) {
        self.0.retain(|known| {
            let times = if known.object.kind() == Kind::Pod { 1 } else { 2 };
            known.end.is_none_or(|(end_ns, _)| end_ns + times * retention_ns > now_ns)
        });
    }

    /// Per pod: services, chain of owners from the nearest, and end.
    pub(super) fn pods(&self) -> BTreeMap<String, (Vec<String>, Vec<String>, i64)> {
        let mut pods = BTreeMap::new();
        for known in &self.0 {
            if let Body::Pod(_) = &known.object.body {
                let end_ns = known.end.map_or(0, |(end_ns, _)| end_ns);
                pods.insert(known.object.uid.to_string(), (self.services(known), self.owners(&known.object), end_ns));
            }
        }
        pods
    }

    fn services(&self, pod: &Known) -> Vec<String> {
        let Body::Pod(body) = &pod.object.body else { unreachable!() };
        let mut names = BTreeSet::new();
        for known in &self.0 {
            let Body::Service(service) = &known.object.body else { continue };
            let alive = match (known.end, pod.end) {
                (None, _) => true,
                (Some((service_ns, _)), Some((pod_ns, _))) => pod_ns <= service_ns,
                (Some(_), None) => false,
            };
            let mut chosen = !service.selector.is_empty();
            for (key, value) in &service.selector {
                chosen = chosen && body.labels.get(key) == Some(value.as_str());
            }
            let listed = self.0.iter().any(|other| match &other.object.body {
                Body::EndpointSlice { service, pods } => {
                    other.end.is_none()
                        && *service == known.object.name
                        && other.object.namespace == known.object.namespace
                        && pods.contains(&pod.object.uid)
                }
                _ => false,
            });
            if known.object.namespace == pod.object.namespace && alive && (chosen || listed) {
                names.insert((known.object.full_name(), known.object.uid.to_string()));
            }
        }
        names.into_iter().map(|(name, _)| name).collect()
    }

    fn owners(&self, object: &Object) -> Vec<String> {
        let Some(owner) = object.owners.first() else { return Vec::new() };
        let mut chain = vec![format!("{} {}", owner.kind, owner.name)];
        if let Some(known) = self.0.iter().find(|known| known.object.uid == owner.uid) {
            chain.extend(self.owners(&known.object));
        }
        chain
    }

    /// Who has an address at a time.
    pub(super) fn owner(&self, ip: &str, at_ns: i64) -> Option<String> {
        let mut claims: Vec<(i64, String, i64, bool)> = Vec::new();
        for known in &self.0 {
            let Body::Pod(pod) = &known.object.body else { continue };
            let stop = known.end.map_or((i64::MAX, false), |(end_ns, late)| (end_ns, !late));
            let (end_ns, seen) = if pod.ended_ns == 0 { stop } else { (pod.ended_ns, true) };
            if !pod.host_network && pod.ips.iter().any(|own| own == ip) {
                let from_ns = known.object.created_ns.max(pod.started_ns);
                claims.push((from_ns, known.object.uid.to_string(), end_ns, seen));
            }
        }
        claims.sort();
        let holds = |(from_ns, uid, end_ns, seen): &&(i64, String, i64, bool)| {
            let later = claims.iter().filter(|later| (later.0, &later.1) > (*from_ns, uid));
            let mut displacing = later.filter(|later| later.0 <= at_ns && !(*seen && *end_ns < later.2));
            *from_ns <= at_ns && at_ns < *end_ns && displacing.next().is_none()
        };
        claims.iter().find(holds).map(|(_, uid, ..)| uid.clone())
    }
}
