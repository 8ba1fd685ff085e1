//! Who is at which end of a connection, so that two ends on one node find each other.

use std::collections::VecDeque;

use hashbrown::HashMap;
use watershed_model::Upid;

use crate::event::{Connection, Endpoint};

/// Closed connections are still found by their peers for so many ticks.
const KEPT_TICKS: u64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tuple {
    local: Endpoint,
    remote: Endpoint,
}

impl Tuple {
    fn of(info: &Connection) -> Self {
        Tuple { local: info.local, remote: info.remote }
    }
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    cookie: u64,
    upid: Upid,
    netns: u32,
}

/// Owners of connections by their addresses.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_tuple: HashMap<Tuple, Owner, foldhash::fast::RandomState>,
    gone: VecDeque<(u64, Tuple, u64)>,
    tick: u64,
}

impl Owners {
    pub(super) fn now(&self) -> u64 {
        self.tick
    }

    pub(super) fn open(&mut self, info: &Connection, upid: Upid) {
        if info.remote.port != 0 {
            self.by_tuple.insert(Tuple::of(info), Owner { cookie: info.cookie, upid, netns: info.netns });
        }
    }

    /// A connection that is known has another owner.
    pub(super) fn change(&mut self, info: &Connection, upid: Upid) {
        if let Some(known) = self.by_tuple.get_mut(&Tuple::of(info)) {
            *known = Owner { cookie: info.cookie, upid, netns: info.netns };
        }
    }

    pub(super) fn close(&mut self, info: &Connection) {
        self.gone.push_back((self.tick, Tuple::of(info), info.cookie));
    }

    /// The process at the other end, if it is traced here.
    pub(super) fn peer(&self, info: &Connection) -> Option<Upid> {
        let owner = self.by_tuple.get(&Tuple { local: info.remote, remote: info.local })?;
        (owner.netns == info.netns || !is_loopback(&info.remote.address)).then_some(owner.upid)
    }

    /// Ends a tick.
    pub(super) fn tick(&mut self) {
        self.tick += 1;
        while self.gone.front().is_some_and(|(closed_at, _, _)| self.tick - closed_at > KEPT_TICKS) {
            let Some((_, tuple, cookie)) = self.gone.pop_front() else { break };
            if self.by_tuple.get(&tuple).is_some_and(|owner| owner.cookie == cookie) {
                self.by_tuple.remove(&tuple);
            }
        }
    }
}

fn is_loopback(address: &[u8; 16]) -> bool {
    let address = std::net::Ipv6Addr::from(*address);
    address.to_ipv4_mapped().map_or(address.is_loopback(), |address| address.is_loopback())
}
