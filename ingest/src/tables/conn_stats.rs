//! Connections and bytes by process and peer. What a connection adds goes to the key that it has by then, its opening
//! and its end to the key that it had first: deltas are never negative, and the sums are exact at any time.

use hashbrown::HashMap;
use watershed_model::{Upid, tables as model_tables};

use crate::tables::rows::Rows;

const KEYS_MAX: usize = 64 << 10;
/// A key without connections that did not change for so long leaves.
const KEPT_IDLE_NS: i64 = 600_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Key {
    pub(crate) upid: Upid,
    pub(crate) remote: [u8; 16],
    pub(crate) remote_port: u16,
    pub(crate) role: i64,
    pub(crate) family: i64,
    pub(crate) protocol: i64,
    pub(crate) ssl: bool,
    pub(crate) remote_upid: Upid,
}

/// Opened and closed connections, bytes sent, received and of unseen content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Amounts {
    pub(crate) opened: i64,
    pub(crate) closed: i64,
    pub(crate) sent: i64,
    pub(crate) received: i64,
    pub(crate) unseen: i64,
}

impl Amounts {
    fn add(&mut self, other: Amounts) {
        self.opened += other.opened;
        self.closed += other.closed;
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.unseen = self.unseen.saturating_add(other.unseen);
    }

    fn since(self, before: Amounts) -> Amounts {
        Amounts {
            opened: (self.opened.saturating_sub(before.opened)).max(0),
            closed: (self.closed.saturating_sub(before.closed)).max(0),
            sent: (self.sent.saturating_sub(before.sent)).max(0),
            received: (self.received.saturating_sub(before.received)).max(0),
            unseen: (self.unseen.saturating_sub(before.unseen)).max(0),
        }
    }
}

#[derive(Debug, Default)]
struct Entry {
    total: Amounts,
    since: Amounts,
    changed_ns: i64,
}

/// What a connection has contributed, and to which key first.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Contribution {
    first: Option<Key>,
    amounts: Amounts,
}

impl Contribution {
    pub(crate) fn is_none(&self) -> bool {
        self.first.is_none()
    }
}

#[derive(Debug)]
pub(crate) struct ConnStats {
    entries: HashMap<Key, Entry, foldhash::fast::RandomState>,
    changed: Vec<Key>,
    rows: Rows,
    pub(crate) dropped: u64,
}

impl ConnStats {
    pub(crate) fn new() -> Self {
        ConnStats {
            entries: HashMap::default(),
            changed: Vec::new(),
            rows: Rows::new(&model_tables::CONN_STATS),
            dropped: 0,
        }
    }

    /// Brings a connection's contribution up to date.
    pub(crate) fn contribute(&mut self, contribution: &mut Contribution, key: Key, amounts: Amounts) {
        let since = amounts.since(contribution.amounts);
        if since == Amounts::default() {
            return;
        }
        let mut key = key;
        if !self.entries.contains_key(&key) && self.entries.len() >= KEYS_MAX {
            // The bytes stay exact; only who they went to is not told apart any more.
            self.dropped += 1;
            key = Key::default();
        }
        let first = *contribution.first.get_or_insert(key);
        contribution.amounts.add(since);
        self.add(first, Amounts { opened: since.opened, closed: since.closed, ..Amounts::default() });
        self.add(key, Amounts { opened: 0, closed: 0, ..since });
    }

    fn add(&mut self, key: Key, amounts: Amounts) {
        if amounts == Amounts::default() {
            return;
        }
        let entry = self.entries.entry(key).or_default();
        if entry.since == Amounts::default() {
            self.changed.push(key);
        }
        entry.since.add(amounts);
        entry.total.add(amounts);
    }

    /// Rows for all keys that changed.
    pub(crate) fn flush(&mut self, now_ns: i64) {
        self.changed.sort_unstable_by_key(|key| {
            (key.upid, key.remote, key.remote_port, key.role, key.protocol, key.remote_upid)
        });
        self.changed.dedup();
        for key in self.changed.drain(..) {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let since = std::mem::take(&mut entry.since);
            if since == Amounts::default() {
                continue;
            }
            entry.changed_ns = now_ns;
            let total = entry.total;
            self.rows
                .int(now_ns)
                .fixed(key.upid.to_bytes())
                .fixed(key.remote)
                .int(i64::from(key.remote_port))
                .int(key.role)
                .int(key.family)
                .int(key.protocol)
                .flag(key.ssl)
                .int(total.opened)
                .int(total.closed)
                .int(total.opened - total.closed)
                .int(total.sent)
                .int(total.received)
                .text("")
                .fixed(key.remote_upid.to_bytes())
                .int(since.opened)
                .int(since.closed)
                .int(since.sent)
                .int(since.received)
                .int(since.unseen);
        }
        if self.entries.len() > KEYS_MAX / 2 {
            self.entries.retain(|_, entry| {
                entry.total.opened != entry.total.closed || now_ns.saturating_sub(entry.changed_ns) < KEPT_IDLE_NS
            });
        }
    }

    pub(crate) fn rows(&mut self) -> &mut Rows {
        &mut self.rows
    }
}
