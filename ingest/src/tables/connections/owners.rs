//! Who is at which end of a connection, so that two ends on one node find each other, also where addresses are changed
//! on the way.

use std::collections::VecDeque;

use hashbrown::HashMap;
use watershed_model::Upid;

use crate::event::{Connection, Ends, Translation};

/// Closed connections are still found by their peers for so many ticks.
const KEPT_TICKS: u64 = 2;
/// Translations wait so many ticks for a client of this node; those of others are most of them.
const TRANSLATIONS_KEPT_TICKS: u64 = 600;
const TRANSLATIONS_MAX: usize = 64 << 10;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

#[derive(Debug, Clone, Copy)]
struct Owner {
    cookie: u64,
    upid: Upid,
    netns: u32,
}

#[derive(Debug)]
struct Gone {
    closed_at: u64,
    ends: Ends,
    kept: Ends,
    cookie: u64,
}

/// Owners of connections by their ends. A client's ends are kept as its server has them, mirrored.
#[derive(Debug, Default)]
pub(super) struct Owners {
    by_ends: Map<Ends, Owner>,
    /// The client's ends, and what is kept instead of them.
    translated: Map<Ends, Ends>,
    waiting: VecDeque<(u64, Ends)>,
    gone: VecDeque<Gone>,
    tick: u64,
}

fn ends_of(info: &Connection) -> Ends {
    Ends { local: info.local, remote: info.remote }
}

impl Owners {
    pub(super) fn now(&self) -> u64 {
        self.tick
    }

    pub(super) fn open(&mut self, info: &Connection, upid: Upid) {
        if info.remote.port != 0 {
            let owner = Owner { cookie: info.cookie, upid, netns: info.netns };
            self.by_ends.insert(self.kept(ends_of(info)), owner);
        }
    }

    /// A connection that is known has another owner.
    pub(super) fn change(&mut self, info: &Connection, upid: Upid) {
        if let Some(known) = self.by_ends.get_mut(&self.kept(ends_of(info))) {
            *known = Owner { cookie: info.cookie, upid, netns: info.netns };
        }
    }

    pub(super) fn close(&mut self, info: &Connection) {
        let ends = ends_of(info);
        self.gone.push_back(Gone { closed_at: self.tick, ends, kept: self.kept(ends), cookie: info.cookie });
    }

    /// A client reaches its server by another address than the server's own, or under another than its own.
    pub(super) fn translate(&mut self, translation: Translation) {
        let (client, kept) = (translation.client, translation.server.mirrored());
        if self.translated.insert(client, kept).is_none() {
            self.waiting.push_back((self.tick, client));
        }
        if let Some(owner) = self.by_ends.remove(&client) {
            self.by_ends.insert(kept, owner);
        }
        if self.translated.len() > TRANSLATIONS_MAX {
            self.forget_oldest_translation();
        }
    }

    /// The process at the other end, if it is traced here.
    pub(super) fn peer(&self, info: &Connection) -> Option<Upid> {
        let ends = self.kept(ends_of(info));
        let owner = self.by_ends.get(&ends.mirrored())?;
        (owner.netns == info.netns || !is_loopback(&ends.remote.address)).then_some(owner.upid)
    }

    /// Ends a tick.
    pub(super) fn tick(&mut self) {
        self.tick += 1;
        while self.gone.front().is_some_and(|gone| self.tick - gone.closed_at > KEPT_TICKS) {
            let Some(gone) = self.gone.pop_front() else { break };
            let now_kept = self.kept(gone.ends);
            for kept in [gone.kept, now_kept] {
                if self.by_ends.get(&kept).is_some_and(|owner| owner.cookie == gone.cookie) {
                    self.by_ends.remove(&kept);
                }
            }
            if now_kept == gone.kept {
                self.translated.remove(&gone.ends);
            }
        }
        while self.waiting.front().is_some_and(|(since, _)| self.tick - since > TRANSLATIONS_KEPT_TICKS) {
            self.forget_oldest_translation();
        }
    }

    fn kept(&self, ends: Ends) -> Ends {
        self.translated.get(&ends).copied().unwrap_or(ends)
    }

    /// Those of clients that are known stay until these close.
    fn forget_oldest_translation(&mut self) {
        let Some((_, client)) = self.waiting.pop_front() else { return };
        if self.translated.get(&client).is_some_and(|kept| !self.by_ends.contains_key(kept)) {
            self.translated.remove(&client);
        }
    }
}

fn is_loopback(address: &[u8; 16]) -> bool {
    let address = std::net::Ipv6Addr::from(*address);
    address.to_ipv4_mapped().map_or(address.is_loopback(), |address| address.is_loopback())
}
