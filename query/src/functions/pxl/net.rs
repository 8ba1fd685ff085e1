//! Addresses and networks, without any network access.

use std::net::IpAddr;

use super::json::Json;
use super::rows::{map0, map1, map2};
use super::{B, Entry, S, entry, over};

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "nslookup",
        &[over(&[S], S, |a| map1(a, |address: &str| address.to_owned()))],
        "The address itself: names are not looked up, as the answer would be another each time.",
    ),
    entry(
        "cidrs_contain_ip",
        &[over(&[S, S], B, |a| map2(a, contain))],
        "Whether an address is in one of the networks of a JSON array, such as `[\"10.0.0.0/8\"]`.",
    ),
    entry("get_cidrs", &[over(&[], S, |_| map0(""))], "Empty: the networks of the cluster's pods are not known."),
];

fn contain(networks: &str, address: &str) -> bool {
    let Ok(Json::Array(networks)) = serde_json::from_str(networks) else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    networks.iter().any(|network| matches!(network, Json::Text(network) if contains(network, address)))
}

fn contains(network: &str, address: IpAddr) -> bool {
    let Some((base, length)) = network.split_once('/') else { return false };
    let (Ok(base), Ok(length)) = (base.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    let same = |left: u128, right: u128, width: u32| {
        let Some(host_bits) = width.checked_sub(length) else { return false };
        (left ^ right).checked_shr(host_bits).unwrap_or(0) == 0
    };
    match (base, address.to_canonical()) {
        (IpAddr::V4(base), IpAddr::V4(address)) => same(base.to_bits().into(), address.to_bits().into(), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => same(base.to_bits(), address.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests;
