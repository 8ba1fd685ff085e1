//! Who had which address when. Several may claim one; the intervals that are told never overlap.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use watershed_model::tables::K8S_ADDRESSES;

use super::{Change, Row, Value};
use crate::object::{Body, Object};

/// What kind of owner, and the address with IPv4 mapped into IPv6. Owners of different kinds do not displace each other.
pub(super) type Place = (&'static str, [u8; 16]);

/// An owner's claim of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: Arc<str>,
    pub(super) from_ns: i64,
    /// 0 while it lasts.
    pub(super) to_ns: i64,
    /// The end was seen when it came, not found out later.
    pub(super) seen: bool,
}

/// An owner's uid and its claim.
type Owned = (Arc<str>, Claim);

#[derive(Debug, Default)]
struct Claimed {
    /// By uid, ascending; mostly one.
    claims: Vec<Owned>,
    /// The intervals that were told.
    told: Box<[Owned]>,
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
    pub(super) fn claim(&mut self, uid: &Arc<str>, before: Vec<Place>, claims: Vec<(Place, Claim)>) {
        for place in before {
            if let Some(claimed) = self.by_place.get_mut(&place) {
                claimed.claims.retain(|(other, _)| other != uid);
                self.dirty.insert(place);
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
            let told = intervals(&claimed.claims);
            if *claimed.told != *told {
                let rows = |owned: &[Owned]| owned.iter().map(|owned| row(place, owned)).collect::<Vec<_>>();
                Change::between(rows(&claimed.told), &rows(&told), changes);
                claimed.told = told.into();
            }
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
fn intervals(claims: &[Owned]) -> Vec<Owned> {
    let mut sorted: Vec<_> = claims.iter().collect();
    sorted.sort_by_key(|(uid, claim)| (claim.from_ns, Arc::clone(uid)));
    let end = |claim: &Claim| if claim.to_ns == 0 { i64::MAX } else { claim.to_ns };
    let mut told = Vec::with_capacity(sorted.len());
    let mut free_ns = i64::MIN;
    for (position, &(uid, claim)) in sorted.iter().enumerate() {
        let outlives = |later: &Claim| claim.seen && end(claim) < end(later);
        let later = sorted[position + 1..].iter().filter(|(_, later)| !outlives(later));
        let to_ns = later.map(|(_, later)| later.from_ns).min().map_or(end(claim), |from_ns| from_ns.min(end(claim)));
        let from_ns = claim.from_ns.max(free_ns);
        free_ns = free_ns.max(to_ns);
        if from_ns < to_ns {
            let to_ns = if to_ns == i64::MAX { 0 } else { to_ns };
            told.push((Arc::clone(uid), Claim { from_ns, to_ns, ..claim.clone() }));
        }
    }
    told
}

fn row((kind, octets): Place, (uid, claim): &Owned) -> Row {
    let values = [
        Value::Address(octets),
        Value::Text(kind.into()),
        Value::Text((&**uid).into()),
        Value::Text((&*claim.name).into()),
        Value::Time(claim.from_ns),
        Value::Time(claim.to_ns),
    ];
    Row { table: &K8S_ADDRESSES, values: values.into() }
}

/// What an object claims that ended at that time, 0 for none, whether or not that was seen. A pod has its addresses from
/// when its node took it up, until it completed or went.
pub(super) fn claims_of(object: &Object, stop_ns: i64, seen: bool) -> Vec<(Place, Claim)> {
    let (from_ns, ended_ns) = match &object.body {
        Body::Pod(pod) => (object.created_ns.max(pod.started_ns), pod.ended_ns),
        _ => (object.created_ns, 0),
    };
    let (to_ns, seen) = if ended_ns == 0 { (stop_ns, seen) } else { (ended_ns, true) };
    let claim = Claim { name: object.full_name().into(), from_ns, to_ns, seen };
    places_of(object).into_iter().map(|place| (place, claim.clone())).collect()
}

/// The addresses that an object claims.
pub(super) fn places_of(object: &Object) -> Vec<Place> {
    let (kind, ips) = match &object.body {
        Body::Pod(pod) if !pod.host_network => ("pod", pod.ips.iter().collect::<Vec<_>>()),
        Body::Service(service) => ("service", service.cluster_ips.iter().chain(&service.external_ips).collect()),
        Body::Node { ips, .. } => ("node", ips.iter().collect()),
        _ => return Vec::new(),
    };
    ips.into_iter().filter_map(|ip| ip.parse().ok()).map(|ip| (kind, octets(ip))).collect()
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
