//! Connections by cookie, and with TLS their clear text: who they belong to, what they speak, and their exchanges as
//! rows.

mod held;
mod owners;
mod speech;
mod tracked;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use watershed_model::Upid;
use watershed_protocols::registry::PROTOCOLS;
use watershed_protocols::{ConnectionParser, Counts, Direction, Pool, Segment, http1};

use crate::event::{Attention, Connection, Role, Stream, Totals, Translation};
use crate::redaction::Rule;
use crate::tables::conn_stats::{Amounts, ConnStats, Key};
use crate::tables::exchanges::Exchanges;
use held::Held;
use owners::Owners;
use speech::Speech;
use tracked::{JUDGED_MAX, Tracked};

const CONNECTIONS_MAX: usize = 256 << 10;
/// Events that HTTP/1 may go without a message before the judgement is in doubt.
const STRANGE_AFTER: u32 = 12;
/// Events that wait for one that should come before them, and their bytes.
const HELD_MAX: usize = 64;
const HELD_BYTES_MAX: usize = 256 << 10;
/// Index of HTTP/1 in [`PROTOCOLS`], and its number.
const HTTP1: usize = 0;
const TLS_NUMBER: i64 = 13;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// All connections and the rows that come of them.
#[derive(Debug)]
pub(crate) struct Connections {
    by_stream: Map<Stream, Tracked>,
    owners: Owners,
    /// Connections that hold events back.
    holding: Vec<Stream>,
    /// Connections whose first row waits a second, until it is known what they speak.
    unsaid: [Vec<u64>; 2],
    pub(crate) exchanges: Exchanges,
    pools: Pools,
    body_bytes: usize,
    pub(crate) wishes: Vec<(Stream, Attention)>,
    pub(crate) counts: Counts,
    pub(crate) refused: u64,
}

#[derive(Debug, Default)]
struct Pools {
    http1: http1::Pool,
    others: Pool,
}

/// A data event, with the process already found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a> {
    pub(crate) stream: Stream,
    pub(crate) tgid: u32,
    pub(crate) segment: Segment<'a>,
}

/// What happens to a parser.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Segment(&'a Segment<'a>),
    Expire(i64),
    Finish,
}

impl Connections {
    pub(crate) fn new(body_bytes: usize, rules: &[Rule]) -> Self {
        Connections {
            by_stream: Map::default(),
            owners: Owners::default(),
            holding: Vec::new(),
            unsaid: Default::default(),
            exchanges: Exchanges::new(body_bytes, rules),
            pools: Pools::default(),
            body_bytes,
            wishes: Vec::new(),
            counts: Counts::default(),
            refused: 0,
        }
    }

    fn tracked(&mut self, stream: Stream) -> Option<&mut Tracked> {
        let is_full = self.by_stream.len() >= CONNECTIONS_MAX;
        match self.by_stream.entry(stream) {
            Entry::Occupied(tracked) => Some(tracked.into_mut()),
            Entry::Vacant(_) if is_full => {
                self.refused += 1;
                None
            }
            Entry::Vacant(vacant) => Some(vacant.insert(Tracked::new(stream))),
        }
    }

    pub(crate) fn open(&mut self, info: Connection, upid: Upid) {
        let Some(tracked) = self.tracked(Stream::of_socket(info.cookie)) else { return };
        let role = if info.role == Role::Unknown { tracked.info.role } else { info.role };
        let told_late = tracked.info.datagrams != info.datagrams || tracked.info.role != role;
        tracked.info = Connection { role, ..info };
        if tracked.events == 0 || tracked.info.datagrams && told_late {
            tracked.speech = Speech::new(&tracked.info);
        }
        if info.tgid != 0 {
            tracked.tgid = info.tgid;
            tracked.upid = upid;
        }
        let upid = tracked.upid;
        self.owners.open(&info, upid);
    }

    pub(crate) fn translate(&mut self, translation: Translation) {
        self.owners.translate(translation);
    }

    /// Takes bytes; `upid` finds the process when the connection changed hands.
    pub(crate) fn data(&mut self, bytes: Bytes<'_>, upid: impl FnOnce(u32) -> Upid) {
        let Some(tracked) = self.tracked(bytes.stream) else { return };
        let waits = !tracked.held.is_empty() || tracked.is_ahead(&bytes.segment);
        tracked.events = tracked.events.saturating_add(u32::from(!waits));
        if tracked.tgid != bytes.tgid && bytes.tgid != 0 {
            tracked.tgid = bytes.tgid;
            tracked.upid = upid(bytes.tgid);
            let (info, upid) = (tracked.info, tracked.upid);
            self.owners.change(&Connection { cookie: bytes.stream.cookie, ..info }, upid);
        }
        if waits {
            self.hold(bytes.stream, &bytes.segment);
            return;
        }
        self.step(bytes.stream, Step::Segment(&bytes.segment));
    }

    /// Takes clear text of a connection; its exchanges are told from those in clear by their rows.
    pub(crate) fn plain(&mut self, bytes: Bytes<'_>, upid: impl FnOnce(u32) -> Upid) {
        let socket = Stream::of_socket(bytes.stream.cookie);
        if !self.by_stream.contains_key(&bytes.stream) {
            let Some(below) = self.tracked(socket) else { return };
            below.encrypted = true;
            let clear = Tracked::clear_text_of(below);
            self.by_stream.insert(bytes.stream, clear);
        }
        self.data(bytes, upid);
        let told = self.by_stream.get(&bytes.stream).map(|clear| (clear.protocol, clear.info.role));
        let (Some((protocol, role)), Some(below)) = (told, self.by_stream.get_mut(&socket)) else { return };
        below.protocol = if protocol == 0 { below.protocol } else { protocol };
        below.info.role = if below.info.role == Role::Unknown { role } else { below.info.role };
    }

    /// Two threads that use one connection may hand over their bytes in the wrong order: what is ahead waits, with all
    /// that comes after it.
    fn hold(&mut self, stream: Stream, segment: &Segment<'_>) {
        let Some(tracked) = self.by_stream.get_mut(&stream) else { return };
        if tracked.held.is_empty() {
            self.holding.push(stream);
        }
        let first = tracked.held.first().map(Held::segment);
        let fills =
            first.is_some_and(|first| first.direction == segment.direction && segment.position < first.position);
        let at = if fills { 0 } else { tracked.held.len() };
        tracked.held.insert(at, Held::of(segment));
        let bytes: usize = tracked.held.iter().map(Held::bytes).sum();
        let full = tracked.held.len() > HELD_MAX || bytes > HELD_BYTES_MAX;
        self.release(stream, full);
    }

    /// Parses what is held, up to the first event that is still ahead, or all of it.
    fn release(&mut self, stream: Stream, all: bool) {
        while let Some(tracked) = self.by_stream.get_mut(&stream)
            && let Some(first) = tracked.held.first()
            && (all || !tracked.is_ahead(&first.segment()))
        {
            let held = tracked.held.remove(0);
            tracked.events = tracked.events.saturating_add(1);
            self.step(stream, Step::Segment(&held.segment()));
        }
    }

    fn step(&mut self, stream: Stream, step: Step<'_>) {
        let Connections { by_stream, owners, exchanges, pools, counts, body_bytes, wishes, .. } = self;
        let body_bytes = *body_bytes;
        let Some(tracked) = by_stream.get_mut(&stream) else { return };
        let mut output = Output { owners, exchanges, pools, counts, body_bytes };
        let next = match std::mem::replace(&mut tracked.speech, Speech::Silent) {
            Speech::Silent => return,
            Speech::Http1(parser) => output.step_http1(tracked, parser, step),
            Speech::Other(parser, protocol) => output.step_other(tracked, parser, protocol, step),
            Speech::Undecided(undecided) => {
                let mut undecided = undecided;
                let decided = match step {
                    Step::Segment(segment) => undecided.segment(&tracked.info, segment, body_bytes),
                    Step::Expire(_) => None,
                    Step::Finish => Some(undecided.finish(&tracked.info, body_bytes)),
                };
                let Some((speech, held)) = decided else {
                    tracked.speech = Speech::Undecided(undecided);
                    return;
                };
                let (is_silent, is_closed) = (speech.is_silent(), tracked.closed);
                tracked.speech = speech;
                tracked.judged = tracked.judged.saturating_add(1);
                let attention = tracked.speech.attention();
                wishes.extend(attention.filter(|_| !is_closed).map(|attention| (stream, attention)));
                if is_silent {
                    return;
                }
                held.iter().for_each(|held| self.step(stream, Step::Segment(&held.segment())));
                return self.step(stream, step);
            }
        };
        match next {
            Next::Same(speech) => tracked.speech = speech,
            // What speaks no known protocol, or does not any more, is only counted from here on.
            Next::Mute => wishes.extend((!tracked.closed).then_some((stream, Attention::None))),
            Next::Judge { .. } if tracked.judged >= JUDGED_MAX => {
                wishes.extend((!tracked.closed).then_some((stream, Attention::None)));
            }
            Next::Judge { expected, barred } => {
                tracked.speech = Speech::again(&tracked.info, expected, barred);
                self.step_rest(stream, step, expected);
            }
            Next::Became { speech, expected } => {
                wishes.extend(speech.attention().map(|attention| (stream, attention)));
                tracked.speech = speech;
                self.step_rest(stream, step, expected);
            }
        }
    }

    /// What a segment has behind the end of what the connection spoke until then.
    fn step_rest(&mut self, stream: Stream, step: Step<'_>, expected: [Option<u64>; 2]) {
        let Step::Segment(segment) = step else { return };
        let rest = expected[segment.direction as usize].and_then(|position| segment.from(position));
        if let Some(rest) = rest {
            self.step(stream, Step::Segment(&rest));
        }
    }

    pub(crate) fn totals(&mut self, cookie: u64, totals: Totals, stats: &mut ConnStats) {
        let Some(tracked) = self.tracked(Stream::of_socket(cookie)) else { return };
        tracked.totals = totals;
        if tracked.contribution.is_none() && tracked.protocol == 0 && !tracked.speech.is_silent() {
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
        let Some(tracked) = self.by_stream.get_mut(&Stream::of_socket(cookie)) else { return };
        tracked.find_peer(&self.owners);
        let server = tracked.info.role == Role::Server;
        let key = Key {
            upid: tracked.upid,
            remote: tracked.info.remote.address,
            remote_port: if server { 0 } else { tracked.info.remote.port },
            role: tracked.info.role as i64,
            family: i64::from(tracked.info.family),
            protocol: tracked.protocol,
            ssl: tracked.encrypted,
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
        let (clear, socket) = (Stream::of_clear_text(cookie), Stream::of_socket(cookie));
        self.finish(clear);
        self.by_stream.remove(&clear);
        if let Some(tracked) = self.tracked(socket) {
            tracked.totals = totals;
        }
        self.finish(socket);
        self.account(cookie, stats);
        if let Some(tracked) = self.by_stream.remove(&socket) {
            self.owners.close(&Connection { cookie, ..tracked.info });
        }
    }

    /// Nothing more comes of a stream.
    fn finish(&mut self, stream: Stream) {
        self.release(stream, true);
        let Some(tracked) = self.by_stream.get_mut(&stream) else { return };
        tracked.closed = true;
        self.step(stream, Step::Finish);
    }

    /// Ends a tick.
    pub(crate) fn tick(&mut self) {
        for stream in std::mem::take(&mut self.holding) {
            self.release(stream, true);
        }
        self.owners.tick();
    }

    /// Completes exchanges that only time can end; once a second.
    pub(crate) fn expire(&mut self, now_ns: i64) {
        let waiting = self.by_stream.iter().filter(|(_, tracked)| tracked.speech.waits_for_time());
        let mut streams: Vec<Stream> = waiting.map(|(stream, _)| *stream).collect();
        // Rows must not depend on the order of a hash map.
        streams.sort_unstable();
        for stream in streams {
            self.step(stream, Step::Expire(now_ns));
        }
    }
}

/// Where what a parser finds goes to.
struct Output<'a> {
    owners: &'a Owners,
    exchanges: &'a mut Exchanges,
    pools: &'a mut Pools,
    counts: &'a mut Counts,
    body_bytes: usize,
}

impl Output<'_> {
    fn step_http1(&mut self, tracked: &mut Tracked, mut parser: Box<http1::Parser>, step: Step<'_>) -> Next {
        let Output { owners, exchanges, pools, counts, body_bytes } = self;
        let pool = &mut pools.http1;
        let mut emit = |exchange: &http1::Exchange| {
            tracked.protocol = PROTOCOLS[HTTP1].description.number;
            tracked.find_peer(owners);
            exchanges.http1(tracked.place(), exchange);
        };
        match step {
            Step::Segment(segment) => parser.segment(segment, pool, &mut emit),
            Step::Expire(now_ns) => parser.expire(now_ns, pool, &mut emit),
            Step::Finish => parser.finish(pool, &mut emit),
        }
        if parser.recognised() {
            tracked.protocol = PROTOCOLS[HTTP1].description.number;
            learn_role(tracked, parser.requests());
        }
        counts.add(&parser.take_counts());
        let strange = !parser.recognised() && !parser.in_head() && tracked.events >= STRANGE_AFTER;
        if !tracked.closed && (parser.opaque() || strange) {
            let expected = [parser.expected(Direction::Sent), parser.expected(Direction::Received)];
            if let (Some(upgrade), Some(requests)) = (parser.take_upgrade(), parser.requests()) {
                let speech = Speech::upgraded(&upgrade, *body_bytes, requests, expected);
                return Next::Became { speech, expected };
            }
            return Next::Judge { expected, barred: HTTP1 };
        }
        Next::Same(Speech::Http1(parser))
    }

    fn step_other(
        &mut self,
        tracked: &mut Tracked,
        mut parser: Box<dyn ConnectionParser + Send>,
        protocol: usize,
        step: Step<'_>,
    ) -> Next {
        let Output { owners, exchanges, pools, counts, .. } = self;
        let number = parser.description().number;
        let pool = &mut pools.others;
        let mut emit = |exchange: &watershed_protocols::Exchange| {
            tracked.protocol = number;
            tracked.find_peer(owners);
            exchanges.other(protocol, tracked.place(), exchange);
        };
        match step {
            Step::Segment(segment) => parser.segment(segment, pool, &mut emit),
            Step::Expire(now_ns) => parser.expire(now_ns, pool, &mut emit),
            Step::Finish => parser.finish(pool, &mut emit),
        }
        let misjudged = parser.misjudged();
        if parser.recognised() && !misjudged {
            tracked.protocol = number;
            learn_role(tracked, parser.requests());
        }
        counts.add(&parser.take_counts());
        match () {
            () if tracked.closed => Next::Same(Speech::Other(parser, protocol)),
            () if parser.opaque() && number == TLS_NUMBER => Next::Mute,
            () if parser.opaque() || misjudged => {
                let expected = [parser.expected(Direction::Sent), parser.expected(Direction::Received)];
                parser.finish(pool, &mut |_| ());
                counts.add(&parser.take_counts());
                Next::Judge { expected, barred: protocol }
            }
            () => Next::Same(Speech::Other(parser, protocol)),
        }
    }
}

/// What a connection speaks after a step.
enum Next {
    Same(Speech),
    /// Nothing more.
    Mute,
    /// Something else than `barred`.
    Judge {
        expected: [Option<u64>; 2],
        barred: usize,
    },
    /// What it said that it would be.
    Became {
        speech: Speech,
        expected: [Option<u64>; 2],
    },
}

fn learn_role(tracked: &mut Tracked, requests: Option<Direction>) {
    if tracked.info.role == Role::Unknown {
        tracked.info.role = match requests {
            Some(Direction::Sent) => Role::Client,
            Some(Direction::Received) => Role::Server,
            None => Role::Unknown,
        };
    }
}
