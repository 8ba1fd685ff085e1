//! Connections by cookie: who they belong to, what they speak, and their exchanges as rows of `http_events`.

use std::collections::VecDeque;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use watershed_model::{Upid, tables as model_tables};
use watershed_protocols::http1::{Counts, Exchange, Limits, Parser, Pool};
use watershed_protocols::{Decoder, Direction, Segment};

use crate::event::{Connection, Endpoint, Role, Totals};
use crate::tables::conn_stats::{Amounts, ConnStats, Contribution, Key};
use crate::tables::rows::Rows;

const CONNECTIONS_MAX: usize = 256 << 10;
/// Events without a message of a known protocol before a connection's content is not copied any more.
const MUTE_AFTER: u32 = 12;
/// Events that wait for one that should come before them, and their bytes.
const HELD_MAX: usize = 16;
const HELD_BYTES_MAX: usize = 64 << 10;
/// Closed connections are still found by their peers for so many ticks.
const KEPT_TICKS: u64 = 2;
const PROTOCOL_HTTP: i64 = 1;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tuple {
    local: Endpoint,
    remote: Endpoint,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    cookie: u64,
    upid: Upid,
    netns: u32,
}

#[derive(Debug)]
struct Tracked {
    info: Connection,
    tgid: u32,
    upid: Upid,
    parser: Option<Box<Parser>>,
    events: u32,
    http: bool,
    totals: Totals,
    closed: bool,
    contribution: Contribution,
    peer: Upid,
    peer_asked_at: u64,
    /// Events behind a position that was not seen yet, in the order in which they came.
    held: Vec<Held>,
}

#[derive(Debug)]
struct Held {
    position: u64,
    length: u32,
    captured: Vec<u8>,
    direction: Direction,
    time_ns: i64,
}

impl Held {
    fn of(segment: &Segment<'_>) -> Self {
        let Segment { position, length, captured, direction, time_ns } = *segment;
        Held { position, length, captured: captured.to_vec(), direction, time_ns }
    }

    fn segment(&self) -> Segment<'_> {
        let Held { position, length, ref captured, direction, time_ns } = *self;
        Segment { position, length, captured, direction, time_ns }
    }
}

impl Tracked {
    /// Whether something of that direction is missing before the segment.
    fn is_ahead(&self, segment: &Segment<'_>) -> bool {
        let parser = self.parser.as_ref();
        parser.and_then(|parser| parser.expected(segment.direction)).is_some_and(|next| segment.position > next)
    }
}

/// All connections and the rows that come of them.
#[derive(Debug)]
pub(crate) struct Connections {
    by_cookie: Map<u64, Tracked>,
    owners: Map<Tuple, Owner>,
    gone: VecDeque<(u64, Tuple, u64)>,
    /// Connections that hold events back.
    holding: Vec<u64>,
    /// Connections whose first row waits a second, until it is known what they speak.
    unsaid: [Vec<u64>; 2],
    tick: u64,
    pub(crate) http: Rows,
    pool: Pool,
    decoders: [Decoder; 2],
    body_bytes: usize,
    pub(crate) mutes: Vec<u64>,
    pub(crate) counts: Counts,
    pub(crate) refused: u64,
}

/// A data event, with the process already found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a> {
    pub(crate) cookie: u64,
    pub(crate) tgid: u32,
    pub(crate) segment: Segment<'a>,
}

impl Connections {
    pub(crate) fn new(body_bytes: usize) -> Self {
        Connections {
            by_cookie: Map::default(),
            owners: Map::default(),
            gone: VecDeque::new(),
            holding: Vec::new(),
            unsaid: Default::default(),
            tick: 0,
            http: Rows::new(&model_tables::HTTP_EVENTS),
            pool: Pool::default(),
            decoders: Default::default(),
            body_bytes,
            mutes: Vec::new(),
            counts: Counts::default(),
            refused: 0,
        }
    }

    fn tracked(&mut self, cookie: u64) -> Option<&mut Tracked> {
        let is_full = self.by_cookie.len() >= CONNECTIONS_MAX;
        match self.by_cookie.entry(cookie) {
            Entry::Occupied(tracked) => Some(tracked.into_mut()),
            Entry::Vacant(_) if is_full => {
                self.refused += 1;
                None
            }
            Entry::Vacant(vacant) => Some(vacant.insert(Tracked {
                info: Connection { cookie, ..Connection::default() },
                tgid: 0,
                upid: Upid::NONE,
                parser: Some(Box::new(Parser::new(Limits { body_bytes: self.body_bytes }))),
                events: 0,
                http: false,
                totals: Totals::default(),
                closed: false,
                contribution: Contribution::default(),
                peer: Upid::NONE,
                peer_asked_at: u64::MAX,
                held: Vec::new(),
            })),
        }
    }

    pub(crate) fn open(&mut self, info: Connection, upid: Upid) {
        let Some(tracked) = self.tracked(info.cookie) else { return };
        let role = if info.role == Role::Unknown { tracked.info.role } else { info.role };
        tracked.info = Connection { role, ..info };
        if info.datagrams {
            tracked.parser = None;
        }
        if info.opened_before_start
            && let Some(parser) = &mut tracked.parser
        {
            parser.starts_late();
        }
        if info.tgid != 0 {
            tracked.tgid = info.tgid;
            tracked.upid = upid;
        }
        let owner = Owner { cookie: info.cookie, upid: tracked.upid, netns: info.netns };
        if info.remote.port != 0 {
            self.owners.insert(Tuple { local: info.local, remote: info.remote }, owner);
        }
    }

    /// Takes bytes; `upid` finds the process when the connection changed hands.
    pub(crate) fn data(&mut self, bytes: Bytes<'_>, upid: impl FnOnce(u32) -> Upid) {
        let Some(tracked) = self.tracked(bytes.cookie) else { return };
        let waits = !tracked.held.is_empty() || tracked.is_ahead(&bytes.segment);
        tracked.events = tracked.events.saturating_add(u32::from(!waits));
        if tracked.tgid != bytes.tgid && bytes.tgid != 0 {
            tracked.tgid = bytes.tgid;
            tracked.upid = upid(bytes.tgid);
            let tuple = Tuple { local: tracked.info.local, remote: tracked.info.remote };
            let owner = Owner { cookie: bytes.cookie, upid: tracked.upid, netns: tracked.info.netns };
            if let Some(known) = self.owners.get_mut(&tuple) {
                *known = owner;
            }
        }
        if waits {
            self.hold(bytes.cookie, &bytes.segment);
            return;
        }
        self.parse(bytes.cookie, |parser, pool, emit| parser.segment(&bytes.segment, pool, emit));
    }

    /// Two threads that use one connection may hand over their bytes in the wrong order: what is ahead waits, with all
    /// that comes after it.
    fn hold(&mut self, cookie: u64, segment: &Segment<'_>) {
        let Some(tracked) = self.by_cookie.get_mut(&cookie) else { return };
        if tracked.held.is_empty() {
            self.holding.push(cookie);
        }
        let fills = tracked
            .held
            .first()
            .is_some_and(|first| first.direction == segment.direction && segment.position < first.position);
        let at = if fills { 0 } else { tracked.held.len() };
        tracked.held.insert(at, Held::of(segment));
        let bytes: usize = tracked.held.iter().map(|held| held.captured.len()).sum();
        let full = tracked.held.len() > HELD_MAX || bytes > HELD_BYTES_MAX;
        self.release(cookie, full);
    }

    /// Parses what is held, up to the first event that is still ahead, or all of it.
    fn release(&mut self, cookie: u64, all: bool) {
        while let Some(tracked) = self.by_cookie.get_mut(&cookie)
            && let Some(first) = tracked.held.first()
            && (all || !tracked.is_ahead(&first.segment()))
        {
            let held = tracked.held.remove(0);
            tracked.events = tracked.events.saturating_add(1);
            self.parse(cookie, |parser, pool, emit| parser.segment(&held.segment(), pool, emit));
        }
    }

    fn parse(&mut self, cookie: u64, step: impl FnOnce(&mut Parser, &mut Pool, &mut dyn FnMut(&Exchange))) {
        let Connections { by_cookie, owners, tick, http, pool, decoders, body_bytes, mutes, counts, .. } = self;
        let Some(tracked) = by_cookie.get_mut(&cookie) else { return };
        let Some(mut parser) = tracked.parser.take() else { return };
        step(&mut parser, pool, &mut |exchange| {
            tracked.http = true;
            find_peer(tracked, owners, *tick);
            append(http, tracked, exchange, decoders, *body_bytes);
        });
        if !tracked.http && parser.recognised() {
            tracked.http = true;
        }
        if tracked.http && tracked.info.role == Role::Unknown {
            tracked.info.role = match parser.requests() {
                Some(Direction::Sent) => Role::Client,
                Some(Direction::Received) => Role::Server,
                None => Role::Unknown,
            };
        }
        add_counts(counts, &parser.take_counts());
        // What speaks no known protocol, or does not any more, is only counted from here on.
        let stranger = !parser.recognised() && !parser.in_head() && tracked.events >= MUTE_AFTER;
        if !tracked.closed && (parser.opaque() || stranger) {
            mutes.push(cookie);
        } else {
            tracked.parser = Some(parser);
        }
    }

    pub(crate) fn totals(&mut self, cookie: u64, totals: Totals, stats: &mut ConnStats) {
        let Some(tracked) = self.tracked(cookie) else { return };
        tracked.totals = totals;
        if tracked.contribution.is_none() && !tracked.http && tracked.parser.is_some() {
            self.unsaid[0].push(cookie);
            return;
        }
        self.account(cookie, stats);
    }

    /// Accounts for connections that were met a second ago; once a second.
    pub(crate) fn settle(&mut self, stats: &mut ConnStats) {
        for cookie in std::mem::take(&mut self.unsaid[1]) {
            self.account(cookie, stats);
        }
        self.unsaid.swap(0, 1);
    }

    fn account(&mut self, cookie: u64, stats: &mut ConnStats) {
        let Some(tracked) = self.by_cookie.get_mut(&cookie) else { return };
        find_peer(tracked, &self.owners, self.tick);
        let server = tracked.info.role == Role::Server;
        let key = Key {
            upid: tracked.upid,
            remote: tracked.info.remote.address,
            remote_port: if server { 0 } else { tracked.info.remote.port },
            role: tracked.info.role as i64,
            family: i64::from(tracked.info.family),
            protocol: if tracked.http { PROTOCOL_HTTP } else { 0 },
            remote_upid: tracked.peer,
        };
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let amounts = Amounts {
            opened: 1,
            closed: i64::from(tracked.closed),
            sent: signed(tracked.totals.sent_bytes),
            received: signed(tracked.totals.received_bytes),
            unseen: signed(tracked.totals.unseen_bytes),
        };
        stats.contribute(&mut tracked.contribution, key, amounts);
    }

    pub(crate) fn close(&mut self, cookie: u64, totals: Totals, stats: &mut ConnStats) {
        self.release(cookie, true);
        let Some(tracked) = self.tracked(cookie) else { return };
        tracked.totals = totals;
        tracked.closed = true;
        self.parse(cookie, |parser, pool, emit| parser.finish(pool, emit));
        self.account(cookie, stats);
        if let Some(tracked) = self.by_cookie.remove(&cookie) {
            let tuple = Tuple { local: tracked.info.local, remote: tracked.info.remote };
            self.gone.push_back((self.tick, tuple, cookie));
        }
    }

    /// Ends a tick.
    pub(crate) fn tick(&mut self) {
        self.tick += 1;
        for cookie in std::mem::take(&mut self.holding) {
            self.release(cookie, true);
        }
        while self.gone.front().is_some_and(|(closed_at, _, _)| self.tick - closed_at > KEPT_TICKS) {
            let Some((_, tuple, cookie)) = self.gone.pop_front() else { break };
            if self.owners.get(&tuple).is_some_and(|owner| owner.cookie == cookie) {
                self.owners.remove(&tuple);
            }
        }
    }

    /// Completes exchanges that only time can end; once a second.
    pub(crate) fn expire(&mut self, now_ns: i64) {
        let mut cookies: Vec<u64> = self
            .by_cookie
            .iter()
            .filter(|(_, tracked)| tracked.parser.as_ref().is_some_and(|parser| !parser.at_rest()))
            .map(|(cookie, _)| *cookie)
            .collect();
        // Rows must not depend on the order of a hash map.
        cookies.sort_unstable();
        for cookie in cookies {
            self.parse(cookie, |parser, pool, emit| parser.expire(now_ns, pool, emit));
        }
    }
}

fn add_counts(sum: &mut Counts, more: &Counts) {
    sum.exchanges += more.exchanges;
    sum.unpaired_requests += more.unpaired_requests;
    sum.unpaired_responses += more.unpaired_responses;
    sum.unanswered_requests += more.unanswered_requests;
    sum.garbage += more.garbage;
    sum.gaps += more.gaps;
    sum.gap_bytes += more.gap_bytes;
    sum.overflows += more.overflows;
}

/// Finds the process at the other end, if it is traced here; asks again once a tick until it is found.
fn find_peer(tracked: &mut Tracked, owners: &Map<Tuple, Owner>, tick: u64) {
    if tracked.peer.is_some() || tracked.peer_asked_at == tick || tracked.info.remote.port == 0 {
        return;
    }
    tracked.peer_asked_at = tick;
    let mirrored = Tuple { local: tracked.info.remote, remote: tracked.info.local };
    let Some(owner) = owners.get(&mirrored) else { return };
    if owner.netns == tracked.info.netns || !is_loopback(&tracked.info.remote.address) {
        tracked.peer = owner.upid;
    }
}

fn is_loopback(address: &[u8; 16]) -> bool {
    let address = std::net::Ipv6Addr::from(*address);
    address.to_ipv4_mapped().map_or(address.is_loopback(), |address| address.is_loopback())
}

fn append(rows: &mut Rows, tracked: &Tracked, exchange: &Exchange, decoders: &mut [Decoder; 2], body_bytes: usize) {
    let (request, response) = (&exchange.request, &exchange.response);
    let [of_request, of_response] = decoders;
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    rows.int(response.end_ns)
        .fixed(tracked.upid.to_bytes())
        .fixed(tracked.info.remote.address)
        .int(i64::from(tracked.info.remote.port))
        .fixed(tracked.info.local.address)
        .int(i64::from(tracked.info.local.port))
        .int(tracked.info.role as i64)
        .flag(false)
        .int(1)
        .int(i64::from(response.minor_version))
        .int(response.content_type as i64)
        .bytes(request.headers())
        .bytes(request.method())
        .bytes(request.target())
        .bytes(request.body(of_request, body_bytes))
        .int(signed(request.body_bytes))
        .bytes(response.headers())
        .int(i64::from(response.status))
        .bytes(response.reason())
        .bytes(response.body(of_response, body_bytes))
        .int(signed(response.body_bytes))
        .int(exchange.latency_ns())
        .text("")
        .fixed(tracked.peer.to_bytes())
        .int(signed(request.wire_bytes))
        .int(signed(response.wire_bytes))
        .flag(exchange.partial());
}
