//! Who had which address when. Several may claim one; the intervals that are told never overlap.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use watershed_model::tables::K8S_ADDRESSES;

use super::packed::Packed;
use super::{Change, Held, Row, Value};
use crate::object::Body;

/// What kind of owner, and the address with IPv4 mapped into IPv6. Owners of different kinds do not displace each other.
pub(super) type Place = (&'static str, [u8; 16]);

/// An owner's claim of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) from_ns: i64,
    /// 0 while it lasts.
    pub(super) to_ns: i64,
    /// The end was seen when it came, not found out later.
    pub(super) seen: bool,
}

#[derive(Debug, Default)]
struct Claimed {
    /// By uid, ascending; mostly one.
    claims: Vec<(Arc<str>, Claim)>,
    rows: Packed,
}

impl Claimed {
    fn insert(&mut self, uid: &Arc<str>, claim: Claim) {
        match self.claims.binary_search_by_key(&uid, |(uid, _)| uid) {
            Ok(at) => self.claims[at].1 = claim,
            Err(at) => {
                self.claims.reserve_exact(1);
                self.claims.insert(at, (Arc::clone(uid), claim));
            }
        }
    }
}

/// All claims, and the rows that were told of them.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    by_place: HashMap<Place, Claimed>,
    dirty: BTreeSet<Place>,
}

impl Addresses {
    /// Replaces the claims of an owner; `before` are the places that it claimed.
    pub(super) fn claim(&mut self, uid: &Arc<str>, before: &[Place], claims: Vec<(Place, Claim)>) {
        for place in before {
            if let Some(claimed) = self.by_place.get_mut(place) {
                claimed.claims.retain(|(other, _)| other != uid);
                self.dirty.insert(*place);
            }
        }
        for (place, claim) in claims {
            self.by_place.entry(place).or_default().insert(uid, claim);
            self.dirty.insert(place);
        }
    }

    /// The changes of rows since the last call.
    pub(super) fn changes(&mut self, changes: &mut Vec<Change>) {
        for place in std::mem::take(&mut self.dirty) {
            let Some(claimed) = self.by_place.get_mut(&place) else { continue };
            let told = intervals(&claimed.claims).into_iter();
            let rows: Vec<_> = told.map(|(uid, claim)| row(place, uid, claim)).collect();
            claimed.rows.replace(&rows, changes);
            if claimed.claims.is_empty() {
                self.by_place.remove(&place);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_place.is_empty() && self.dirty.is_empty()
    }
}

/// The claims in the order in which they began, cut so that none overlaps another. A claim ends where a later one
/// begins, unless it was seen to end before that one ends; then the later one begins where the earlier one ended.
fn intervals(claims: &[(Arc<str>, Claim)]) -> Vec<(&Arc<str>, Claim)> {
    let mut sorted: Vec<_> = claims.iter().map(|(uid, claim)| (uid, claim)).collect();
    sorted.sort_by_key(|(uid, claim)| (claim.from_ns, Arc::clone(uid)));
    let end = |claim: &Claim| if claim.to_ns == 0 { i64::MAX } else { claim.to_ns };
    let mut told = Vec::with_capacity(sorted.len());
    let mut free_ns = i64::MIN;
    for (position, (uid, claim)) in sorted.iter().enumerate() {
        let outlives = |later: &Claim| claim.seen && end(claim) < end(later);
        let later = sorted[position + 1..].iter().filter(|(_, later)| !outlives(later));
        let to_ns = later.map(|(_, later)| later.from_ns).min().map_or(end(claim), |from_ns| from_ns.min(end(claim)));
        let from_ns = claim.from_ns.max(free_ns);
        free_ns = free_ns.max(to_ns);
        if from_ns < to_ns {
            let to_ns = if to_ns == i64::MAX { 0 } else { to_ns };
            told.push((*uid, Claim { from_ns, to_ns, ..(*claim).clone() }));
        }
    }
    told
}

fn row((kind, octets): Place, uid: &str, claim: Claim) -> Row {
    let values = [
        Value::Address(octets),
        Value::Text(kind.into()),
        Value::Text(uid.into()),
        Value::Text(claim.name.into()),
        Value::Time(claim.from_ns),
        Value::Time(claim.to_ns),
    ];
    Row { table: &K8S_ADDRESSES, values: values.into() }
}

/// What an object claims. A pod has its addresses from when its node took it up, until it completed or went.
pub(super) fn claims_of(held: &Held) -> Vec<(Place, Claim)> {
    let object = &held.object;
    let (kind, ips, from_ns, ended_ns) = match &object.body {
        Body::Pod(pod) if !pod.host_network => {
            ("pod", pod.ips.iter().collect::<Vec<_>>(), object.created_ns.max(pod.started_ns), pod.ended_ns)
        }
        Body::Service(service) => {
            let ips = service.cluster_ips.iter().chain(&service.external_ips).collect();
            ("service", ips, object.created_ns, 0)
        }
        Body::Node { ips, .. } => ("node", ips.iter().collect(), object.created_ns, 0),
        _ => return Vec::new(),
    };
    let (to_ns, seen) = if ended_ns == 0 { (held.stop_ns, held.seen) } else { (ended_ns, true) };
    let claim = Claim { name: object.full_name(), from_ns, to_ns, seen };
    let places = ips.into_iter().filter_map(|ip| ip.parse().ok()).map(|ip| (kind, octets(ip)));
    places.map(|place| (place, claim.clone())).collect()
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
