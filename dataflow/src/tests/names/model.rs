//! The naive model: all news and all exchanges are kept, and each exchange is named anew at every look.

use std::collections::BTreeMap;

use proptest::prelude::*;
use watershed_k8s::facts::News;
use watershed_k8s::object::{Body, Object, Pod, Service};

pub(super) const SECOND: i64 = 1_000_000_000;
/// Where the world's time begins.
pub(super) const START_NS: i64 = 1_700_000_000 * SECOND;
/// How far the map looks back, and how exactly.
const WINDOW_NS: i64 = 300 * SECOND;

/// A pod or a service that has an address from a time up to another.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) uid: String,
    pub(super) is_service: bool,
    /// The address is 10.0.0.`last`.
    pub(super) last: u8,
    pub(super) from_ns: i64,
    pub(super) to_ns: i64,
    /// It completes at the end and is not deleted.
    pub(super) completes: bool,
}

/// Addresses are given on from life to life, some within a second; a service has an address beside a pod's.
pub(super) fn lives() -> impl Strategy<Value = Vec<Life>> {
    let part = (2_u8..6, 1_i64..20_000, prop_oneof![Just(0_i64), 0_i64..3_000], any::<bool>());
    proptest::collection::vec(part, 1..14).prop_map(|parts| {
        let mut free = BTreeMap::from([(2, 0), (3, -400_000), (4, 3_000), (5, -20_000)]);
        let life = |(number, (last, lasts, pause, completes)): (usize, (u8, i64, i64, bool))| {
            let free = free.get_mut(&last).unwrap();
            let from_ms = *free + pause;
            *free = from_ms + lasts;
            let [from_ns, to_ns] = [from_ms, *free].map(|ms| START_NS + ms * 1_000_000);
            Life { uid: format!("u{number}"), is_service: last == 5, last, from_ns, to_ns, completes }
        };
        parts.into_iter().enumerate().map(life).collect()
    })
}

/// What is told of lives: beginnings and ends.
pub(super) fn news(lives: &[Life]) -> Vec<News> {
    let told = |(number, life): (usize, &Life)| {
        let version = 2 * number as u64 + 1;
        let born = object(life, version, 0);
        let end = match life.completes && !life.is_service {
            true => News::Applied(object(life, version + 1, life.to_ns)),
            false => News::Deleted(object(life, version + 1, 0), life.to_ns),
        };
        [News::Applied(born), end]
    };
    lives.iter().enumerate().flat_map(told).collect()
}

fn object(life: &Life, version: u64, ended_ns: i64) -> Object {
    let ips = vec![format!("10.0.0.{}", life.last)];
    let body = match life.is_service {
        true => Body::Service(Service { cluster_ips: ips, ..Service::default() }),
        false => Body::Pod(Box::new(Pod { ips, started_ns: life.from_ns, ended_ns, ..Pod::default() })),
    };
    let (uid, name) = (life.uid.as_str().into(), life.uid.clone());
    Object { uid, namespace: "shop".into(), name, version, created_ns: life.from_ns, owners: vec![], body }
}

/// What is known of one life.
#[derive(Debug, Clone)]
struct Known {
    object: Object,
    deleted_ns: Option<i64>,
}

impl Known {
    fn end_ns(&self) -> Option<i64> {
        match &self.object.body {
            Body::Pod(pod) if pod.ended_ns != 0 => Some(pod.ended_ns),
            _ => self.deleted_ns,
        }
    }

    fn is_service(&self) -> bool {
        matches!(self.object.body, Body::Service(_))
    }

    fn address(&self) -> &str {
        match &self.object.body {
            Body::Pod(pod) => &pod.ips[0],
            Body::Service(service) => &service.cluster_ips[0],
            other => panic!("{other:?} has no life"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Model {
    known: BTreeMap<String, Known>,
    /// Time and address.
    pub(super) exchanges: Vec<(i64, u8)>,
}

impl Model {
    pub(super) fn learn(&mut self, news: &News) {
        let (object, deleted_ns) = match news {
            News::Applied(object) => (object, None),
            News::Deleted(object, at_ns) => (object, Some(*at_ns)),
            News::Listed { .. } => panic!("nothing is listed here"),
        };
        let known = self.known.entry(object.uid.to_string()).or_insert(Known { object: object.clone(), deleted_ns });
        if known.object.version < object.version {
            known.object = object.clone();
        }
        known.deleted_ns = known.deleted_ns.or(deleted_ns);
    }

    /// Forgets what was deleted long ago.
    pub(super) fn advance(&mut self, now_ns: i64, retention_ns: i64) {
        let keeps = |known: &Known| retention_ns * if known.is_service() { 2 } else { 1 };
        self.known.retain(|_, known| known.deleted_ns.is_none_or(|at_ns| at_ns + keeps(known) > now_ns));
    }

    /// Name and kind of an address at a time.
    fn name(&self, last: u8, at_ns: i64) -> (String, &'static str) {
        let address = format!("10.0.0.{last}");
        for (is_service, kind) in [(true, "service"), (false, "pod")] {
            let owners: Vec<_> =
                self.known.values().filter(|k| k.address() == address && k.is_service() == is_service).collect();
            let begins = |known: &Known| (known.object.created_ns, known.object.uid.clone());
            let end = |known: &Known| known.end_ns().unwrap_or(i64::MAX);
            // Who came later has the address, unless the earlier one was seen to leave before that one left.
            let displaced = |owner: &Known| {
                owners.iter().any(|later| {
                    let came = begins(later) > begins(owner) && later.object.created_ns <= at_ns;
                    came && !(owner.end_ns().is_some() && end(owner) < end(later))
                })
            };
            let has = |owner: &&&Known| owner.object.created_ns <= at_ns && at_ns < end(owner) && !displaced(owner);
            if let Some(owner) = owners.iter().filter(has).min_by_key(|owner| begins(owner)) {
                return (owner.object.full_name(), kind);
            }
        }
        (address, "address")
    }

    /// The map's rows as text, ordered.
    pub(super) fn map(&self, now_ns: i64) -> Vec<String> {
        let floor = (now_ns - WINDOW_NS).div_euclid(SECOND) * SECOND;
        let mut requests = BTreeMap::<_, i64>::new();
        for (at_ns, last) in self.exchanges.iter().filter(|(at_ns, _)| *at_ns >= floor) {
            *requests.entry(self.name(*last, *at_ns)).or_default() += 1;
        }
        let mut rows: Vec<_> = requests.into_iter().map(|((name, kind), n)| format!("{name}|{kind}|{n}")).collect();
        rows.sort();
        rows
    }
}
