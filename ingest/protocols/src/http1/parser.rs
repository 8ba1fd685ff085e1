//! One connection's bytes, in both directions, to exchanges.

mod starts;

use std::collections::VecDeque;

use crate::counts::Counts;
use crate::http1::chunk::{Chunk, Skip, Step};
use crate::http1::exchange::{Exchange, Message, Pool};
use crate::http1::half::{Half, State};
use crate::http1::head::{Head, Length, Parsed, end_of_head, parse, parse_cut};
use crate::http1::infer::{Kind, LIKELY, infer};
use crate::http1::pairing::{Pairing, Verdict};
use crate::http1::upgrade::{Upgrade, is_websocket};
use crate::segment::{Direction, Segment};

/// A head longer than this is treated as cut.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Requests waiting for their response on one connection.
const WAITING_MAX: usize = 1024;
/// Responses waiting for their request.
const EARLY_MAX: usize = 16;
const UNFRAMED_IDLE_NS: i64 = 1_000_000_000;
/// After such a silence a request is taken to follow answers to all before it.
const QUIET_NS: i64 = 200_000_000;

/// What a parser keeps.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
}

/// Parses one connection. Memory is bounded by the heads in progress and the requests that wait.
#[derive(Debug)]
pub struct Parser {
    limits: Limits,
    halves: [Half; 2],
    requests: Option<Direction>,
    exchanges: VecDeque<Box<Exchange>>,
    asked: usize,
    answered: usize,
    pairing: Pairing,
    counts: Counts,
    recognised: bool,
    /// The exchange that the next message begins, taken from the pool.
    spare: Option<Box<Exchange>>,
    upgrade: Option<Upgrade>,
}

impl Parser {
    /// A parser for a connection of which nothing was seen yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Parser {
            limits,
            halves: [Half::new(), Half::new()],
            requests: None,
            exchanges: VecDeque::new(),
            asked: 0,
            answered: 0,
            pairing: Pairing::new(),
            counts: Counts::default(),
            recognised: false,
            spare: None,
            upgrade: None,
        }
    }

    /// The connection is older than its first segment, whatever that one's position says.
    pub fn starts_late(&mut self) {
        if self.halves.iter().all(|half| half.next.is_none()) {
            self.pairing.is_older();
            self.halves.iter_mut().for_each(|half| half.state = State::Lost { events: 0 });
        }
    }

    /// Whether a message was found.
    #[must_use]
    pub fn recognised(&self) -> bool {
        self.recognised
    }

    /// Which direction requests go, once known.
    #[must_use]
    pub fn requests(&self) -> Option<Direction> {
        self.requests
    }

    /// What the connection goes on as, from where [`Self::expected`] says on, if it has become WebSocket.
    pub fn take_upgrade(&mut self) -> Option<Upgrade> {
        self.upgrade.take()
    }

    /// Whether the connection has become a tunnel: nothing more will come of it.
    #[must_use]
    pub fn opaque(&self) -> bool {
        self.halves.iter().all(|half| half.state == State::Opaque)
    }

    /// Whether the beginning of what may become a message waits for its rest.
    #[must_use]
    pub fn in_head(&self) -> bool {
        self.halves.iter().any(|half| half.state == State::Head)
    }

    /// Where the next segment of a direction should be, if that is known.
    #[must_use]
    pub fn expected(&self, direction: Direction) -> Option<u64> {
        self.halves[direction as usize].next.or((!self.pairing.met_late).then_some(0))
    }

    /// Whether nothing of it has to be kept in memory.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.exchanges.is_empty() && self.halves.iter().all(|half| half.buffer.is_empty())
    }

    /// The counts since the last call.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Takes the next segment of a direction. Its position tells what was lost before it; bytes seen before are
    /// passed over.
    pub fn segment(&mut self, segment: &Segment<'_>, pool: &mut Pool, emit: &mut (impl FnMut(&Exchange) + ?Sized)) {
        if self.spare.is_none() {
            self.spare = Some(pool.take());
        }
        let side = segment.direction as usize;
        if self.halves[side].state == State::Opaque {
            return;
        }
        if self.pairing.is_in_doubt() && self.is_request(side) && self.is_quiet(segment.time_ns) {
            self.pairing.resynchronised();
        }
        let length = u64::from(segment.length);
        let mut captured = &segment.captured[..segment.captured.len().min(segment.length as usize)];
        let end = segment.position.saturating_add(length);
        let mut at_start = true;
        let mut unseen = length - captured.len() as u64;
        match self.halves[side].next {
            None if segment.position > 0 => {
                self.gap(side, segment.position);
            }
            None => {}
            Some(next) if segment.position > next => {
                self.gap(side, segment.position - next);
            }
            Some(next) if segment.position < next => {
                let seen = (next - segment.position).min(length);
                let of_captured = usize::try_from(seen).map_or(captured.len(), |seen| seen.min(captured.len()));
                captured = &captured[of_captured..];
                unseen -= (seen - of_captured as u64).min(unseen);
                at_start = false;
            }
            Some(_) => {}
        }
        self.halves[side].next = Some(end.max(self.halves[side].next.unwrap_or(0)));
        if !captured.is_empty() {
            let left = self.bytes(side, captured, at_start, unseen, segment.time_ns);
            if self.halves[side].state == State::Opaque {
                self.halves[side].next = Some(end - unseen - left as u64);
            }
        }
        if unseen > 0 {
            self.halves[side].last_ns = segment.time_ns;
            self.pass(side, unseen, false);
        }
        if let Some(message) = self.message(side) {
            message.end_ns = segment.time_ns;
        }
        self.halves[side].last_ns = segment.time_ns;
        self.deliver(pool, emit);
    }

    /// Completes what only time can end. Call once in a while.
    pub fn expire(&mut self, now_ns: i64, pool: &mut Pool, emit: &mut (impl FnMut(&Exchange) + ?Sized)) {
        for side in 0..2 {
            let half = &self.halves[side];
            if matches!(half.state, State::Unframed { .. }) && now_ns.saturating_sub(half.last_ns) > UNFRAMED_IDLE_NS {
                self.end_message(side, State::Start);
            }
        }
        self.deliver(pool, emit);
    }

    /// The connection is closed.
    pub fn finish(&mut self, pool: &mut Pool, emit: &mut (impl FnMut(&Exchange) + ?Sized)) {
        for side in 0..2 {
            match self.halves[side].state {
                State::UntilClose => self.end_message(side, State::Start),
                State::Fixed(_) | State::Chunked(_) | State::Unframed { .. } => self.cut_message(side),
                State::Head => {
                    let buffer = std::mem::take(&mut self.halves[side].buffer);
                    self.cut_head(side, &buffer, 0, self.halves[side].buffered_since_ns);
                    self.cut_message(side);
                }
                State::Start | State::Lost { .. } | State::Tunnel | State::Opaque => {}
            }
            self.halves[side].state = State::Opaque;
        }
        self.deliver(pool, emit);
        for (index, exchange) in self.exchanges.drain(..).enumerate() {
            match index < self.asked {
                true => self.counts.unanswered_requests += 1,
                false => self.counts.unpaired_responses += 1,
            }
            pool.give(exchange);
        }
        (self.asked, self.answered) = (0, 0);
    }

    fn is_request(&self, side: usize) -> bool {
        self.requests.is_some_and(|direction| direction as usize == side)
    }

    /// Nothing is outstanding and nothing has passed for a while.
    fn is_quiet(&self, now_ns: i64) -> bool {
        let at_rest = |half: &Half| {
            matches!(half.state, State::Start | State::Lost { .. }) && now_ns.saturating_sub(half.last_ns) > QUIET_NS
        };
        self.exchanges.is_empty() && self.halves.iter().all(at_rest)
    }

    fn message(&mut self, side: usize) -> Option<&mut Message> {
        if !self.halves[side].tracked {
            return None;
        }
        if self.is_request(side) {
            let index = self.asked.checked_sub(1)?;
            return self.exchanges.get_mut(index).map(|exchange| &mut exchange.request);
        }
        let index = self.answered.checked_sub(1)?;
        self.exchanges.get_mut(index).map(|exchange| &mut exchange.response)
    }

    fn end_message(&mut self, side: usize, next: State) {
        if let Some(message) = self.message(side) {
            message.done = true;
        }
        let half = &mut self.halves[side];
        half.tracked = false;
        half.state = next;
    }

    fn cut_message(&mut self, side: usize) {
        if let Some(message) = self.message(side) {
            message.partial = true;
        }
        self.end_message(side, State::Start);
    }

    /// What comes next in a direction is not known: give up what cannot be told any more.
    fn lose(&mut self, side: usize) {
        self.cut_message(side);
        let half = &mut self.halves[side];
        half.drop_buffer();
        half.state = State::Lost { events: 0 };
        if self.answered > self.asked {
            self.counts.unpaired_responses += (self.answered - self.asked) as u64;
            self.exchanges.truncate(self.asked);
            self.answered = self.asked;
            self.halves[0].tracked = false;
            self.halves[1].tracked = false;
        }
        self.note_missed(side);
    }

    fn note_missed(&mut self, side: usize) {
        let waiting = self.asked.saturating_sub(self.answered);
        match self.requests {
            Some(_) if self.is_request(side) => self.pairing.requests_missed(waiting),
            Some(_) => self.pairing.responses_missed(),
            None => self.pairing.started_late(),
        }
    }

    fn garbage(&mut self, side: usize) {
        self.counts.garbage += 1;
        self.lose(side);
    }

    fn gap(&mut self, side: usize, count: u64) {
        self.counts.gaps += 1;
        self.counts.gap_bytes = self.counts.gap_bytes.saturating_add(count);
        let half = &self.halves[side];
        // A response without a known request may have no body at all: what was lost may be the next one.
        let in_doubt = matches!(half.state, State::Fixed(_) | State::Chunked(_)) && !half.tracked;
        let lost = matches!(half.state, State::Lost { .. }) && !self.pairing.met_late;
        if lost || in_doubt {
            self.note_missed(side);
        }
        self.pass(side, count, true);
        let answers = &mut self.halves[1 - side];
        if self.requests.is_some_and(|direction| direction as usize == side)
            && answers.state == State::Head
            && self.asked <= self.answered
        {
            // The response in progress is not one to what comes after the gap.
            answers.drop_buffer();
            answers.state = State::Lost { events: 0 };
            self.counts.unpaired_responses += 1;
            self.pairing.responses_missed();
        }
        if self.requests.is_none() && !self.pairing.met_late {
            self.pairing.anything_missed();
        }
    }

    /// Bytes pass in which messages may begin that nobody sees; those of a gap are counted where they were lost.
    fn pass_over(&mut self, side: usize, bytes: u64) {
        if self.halves[side].torn && bytes > 0 {
            self.counts.out_of_step += 1;
            self.counts.out_of_step_bytes = self.counts.out_of_step_bytes.saturating_add(bytes);
        }
    }

    /// Bytes passed, not copied, behind the end of a message.
    fn tear(&mut self, side: usize, bytes: u64) {
        self.lose(side);
        self.halves[side].torn = true;
        self.pass_over(side, bytes);
    }

    /// Bytes passed that cannot be seen, elided or lost.
    fn pass(&mut self, side: usize, count: u64, lost: bool) {
        if lost && let Some(message) = self.message(side) {
            message.partial = true;
        }
        match self.halves[side].state {
            State::Opaque | State::Tunnel => {}
            State::Lost { .. } => {
                self.halves[side].drop_buffer();
                self.pass_over(side, if lost { 0 } else { count });
            }
            State::Start if lost => self.lose(side),
            State::Start => self.tear(side, count),
            State::Head => {
                let buffer = std::mem::take(&mut self.halves[side].buffer);
                self.cut_head(side, &buffer, count, self.halves[side].buffered_since_ns);
                if lost {
                    self.lose(side);
                }
            }
            State::Fixed(remaining) => {
                let body = remaining.min(count);
                self.skip_body(side, body, body);
                if body == remaining {
                    self.end_message(side, State::Start);
                } else {
                    self.halves[side].state = State::Fixed(remaining - body);
                }
                match count - body {
                    0 => {}
                    _ if lost => self.lose(side),
                    behind => self.tear(side, behind),
                }
            }
            State::Chunked(mut chunk) => {
                let (outcome, body) = chunk.skip(count);
                self.skip_body(side, body, count);
                match outcome {
                    Skip::Within => self.halves[side].state = State::Chunked(chunk),
                    Skip::End if !lost => self.end_message(side, State::Start),
                    Skip::End | Skip::Unknown if lost => self.lose(side),
                    Skip::End | Skip::Unknown => {
                        if let Some(message) = self.message(side) {
                            message.partial = true;
                        }
                        self.halves[side].state = State::Unframed { chunked: true };
                    }
                }
            }
            State::UntilClose => self.skip_body(side, count, count),
            State::Unframed { .. } if lost => self.lose(side),
            State::Unframed { .. } => self.skip_body(side, count, count),
        }
    }

    fn skip_body(&mut self, side: usize, body: u64, wire: u64) {
        if let Some(message) = self.message(side) {
            message.skip_body(body);
            message.wire_bytes = message.wire_bytes.saturating_add(wire);
        }
    }

    /// Returns how many bytes belong to what the connection has become.
    fn bytes(&mut self, side: usize, mut rest: &[u8], mut at_start: bool, unseen: u64, time_ns: i64) -> usize {
        if at_start && self.restarts(side, rest) {
            self.cut_message(side);
        }
        while !rest.is_empty() {
            let taken = match self.halves[side].state {
                State::Opaque | State::Tunnel => return rest.len(),
                State::Start => self.start(side, rest, at_start, unseen, time_ns),
                State::Head => self.continue_head(side, rest, time_ns),
                State::Lost { events } => match self.resynchronise(side, rest, at_start, events) {
                    Some(at) => {
                        self.halves[side].torn = false;
                        at
                    }
                    None => {
                        self.pass_over(side, rest.len() as u64);
                        self.hold_start(side, if at_start && unseen == 0 { rest } else { b"" }, time_ns);
                        return 0;
                    }
                },
                State::Fixed(remaining) => {
                    let taken = usize::try_from(remaining).map_or(rest.len(), |left| left.min(rest.len()));
                    self.add_body(side, &rest[..taken], taken);
                    match remaining - taken as u64 {
                        0 => self.end_at(side, time_ns),
                        left => self.halves[side].state = State::Fixed(left),
                    }
                    taken
                }
                State::UntilClose => {
                    self.add_body(side, rest, rest.len());
                    rest.len()
                }
                State::Unframed { chunked } => {
                    self.skip_body(side, rest.len() as u64, rest.len() as u64);
                    if chunked && unseen == 0 && rest.ends_with(b"0\r\n\r\n") {
                        self.end_at(side, time_ns);
                    }
                    rest.len()
                }
                State::Chunked(chunk) => self.chunked(side, chunk, rest, time_ns),
            };
            rest = &rest[taken.min(rest.len())..];
            at_start &= taken == 0;
        }
        0
    }

    fn end_at(&mut self, side: usize, time_ns: i64) {
        if let Some(message) = self.message(side) {
            message.end_ns = time_ns;
        }
        self.end_message(side, State::Start);
    }

    fn add_body(&mut self, side: usize, body: &[u8], wire: usize) {
        let limit = self.limits.body_bytes;
        if let Some(message) = self.message(side) {
            message.add_body(body, limit);
            message.wire_bytes = message.wire_bytes.saturating_add(wire as u64);
        }
    }

    fn chunked(&mut self, side: usize, mut chunk: Chunk, bytes: &[u8], time_ns: i64) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let (taken, step) = chunk.step(&bytes[at..]);
            match step {
                Step::Framing => self.add_body(side, &[], taken),
                Step::Data(count) => self.add_body(side, &bytes[at..at + count], count),
                Step::End => {
                    self.add_body(side, &[], taken);
                    self.end_at(side, time_ns);
                    return at + taken;
                }
                Step::Invalid => {
                    self.garbage(side);
                    return bytes.len();
                }
            }
            at += taken;
        }
        self.halves[side].state = State::Chunked(chunk);
        at
    }

    fn start(&mut self, side: usize, bytes: &[u8], at_start: bool, unseen: u64, time_ns: i64) -> usize {
        if bytes[0] == b'\r' || bytes[0] == b'\n' {
            return 1;
        }
        let kind = match self.requests {
            Some(_) if self.is_request(side) => Kind::Request,
            Some(_) => Kind::Response,
            None => infer(bytes).kind,
        };
        if !at_start && kind == Kind::Request && self.asked > self.answered {
            self.pairing.saw_pipelining();
        }
        match parse(bytes, kind) {
            Parsed::Complete(head) => {
                self.head(side, &head, &bytes[..head.bytes], time_ns, None);
                head.bytes
            }
            Parsed::Partial if infer(bytes).score > 0 => {
                let half = &mut self.halves[side];
                half.buffered_since_ns = time_ns;
                half.state = State::Head;
                half.buffer.clear();
                if unseen == 0 || bytes.len() <= HEAD_BYTES_MAX {
                    half.buffer.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES_MAX)]);
                }
                bytes.len()
            }
            Parsed::Partial | Parsed::Invalid => {
                self.garbage(side);
                bytes.len()
            }
        }
    }

    fn continue_head(&mut self, side: usize, bytes: &[u8], time_ns: i64) -> usize {
        let mut buffer = std::mem::take(&mut self.halves[side].buffer);
        let since = self.halves[side].buffered_since_ns;
        let before = buffer.len();
        let room = HEAD_BYTES_MAX.saturating_sub(before).min(bytes.len());
        // The empty line may begin in what is buffered.
        let from = before.saturating_sub(3);
        buffer.extend_from_slice(&bytes[..room]);
        let kind = match self.requests {
            Some(_) if self.is_request(side) => Kind::Request,
            Some(_) => Kind::Response,
            None => infer(&buffer).kind,
        };
        let likely = infer(&buffer).score;
        if likely == 0 {
            self.garbage(side);
            return bytes.len();
        }
        let ends = end_of_head(&buffer[from..]).is_some() || likely < LIKELY;
        match if ends { parse(&buffer, kind) } else { Parsed::Partial } {
            Parsed::Complete(head) => {
                self.head(side, &head, &buffer[..head.bytes], since, None);
                if let Some(message) = self.message(side) {
                    message.end_ns = time_ns;
                }
                head.bytes.saturating_sub(before)
            }
            Parsed::Partial if buffer.len() < HEAD_BYTES_MAX => {
                self.halves[side].buffer = buffer;
                bytes.len()
            }
            Parsed::Partial => {
                self.cut_head(side, &buffer, 0, since);
                self.lose(side);
                bytes.len()
            }
            Parsed::Invalid => {
                self.garbage(side);
                bytes.len()
            }
        }
    }

    /// A head whose end cannot be seen. `unseen` bytes of it, or of what follows, passed in the same event.
    fn cut_head(&mut self, side: usize, bytes: &[u8], unseen: u64, time_ns: i64) {
        let kind = infer(bytes).kind;
        let Some(head) = parse_cut(bytes, kind) else { return self.lose(side) };
        self.head(side, &head, bytes, time_ns, Some(unseen));
    }

    /// A head was read: which exchange it belongs to, and how its body ends.
    fn head(&mut self, side: usize, head: &Head, bytes: &[u8], time_ns: i64, cut: Option<u64>) {
        self.halves[side].buffer = Vec::new();
        let direction = if side == Direction::Sent as usize { Direction::Sent } else { Direction::Received };
        if self.requests.is_none() {
            self.requests = Some(match head.kind {
                Kind::Request => direction,
                Kind::Response => direction.reverse(),
            });
        }
        self.recognised = true;
        let framed = match head.kind {
            Kind::Request => self.request_head(head, bytes, side),
            Kind::Response => self.response_head(head, side),
        };
        if framed == State::Opaque && is_websocket(head, bytes) {
            let index = self.answered.checked_sub(1).filter(|_| self.halves[side].tracked);
            let asked = index.and_then(|index| self.exchanges.get(index));
            self.upgrade = Some(Upgrade { target: asked.map_or(Vec::new(), |asked| asked.request.target().to_vec()) });
        }
        let next = match cut {
            Some(unseen) => cut_framing(head, bytes, framed, unseen),
            None => framed,
        };
        let last_ns = self.halves[side].last_ns;
        if let Some(message) = self.message(side) {
            message.begin(head, bytes, time_ns);
            message.start_ns = time_ns;
            message.wire_bytes = bytes.len() as u64;
            message.partial |= cut.is_some() || matches!(next, State::Unframed { .. });
            if let Some(unseen) = cut {
                message.wire_bytes = message.wire_bytes.saturating_add(unseen);
                message.end_ns = last_ns.max(time_ns);
                if let (State::Start, Length::Known(body)) = (next, head.fields.length) {
                    message.body_bytes = body.min(unseen);
                }
            }
        }
        match next {
            State::Start | State::Opaque | State::Tunnel => self.end_message(side, next),
            other => self.halves[side].state = other,
        }
        if next == State::Opaque {
            self.end_message(1 - side, State::Opaque);
        }
    }

    fn request_head(&mut self, head: &Head, bytes: &[u8], side: usize) -> State {
        if matches!(self.halves[1 - side].state, State::Unframed { .. }) {
            self.end_message(1 - side, State::Start);
        }
        if self.asked - self.answered.min(self.asked) >= WAITING_MAX {
            self.counts.overflows += 1;
            self.give_up();
            self.pairing.requests_missed(0);
        }
        if self.asked == self.exchanges.len() {
            self.exchanges.push_back(self.spare.take().unwrap_or_default());
        }
        let none_waits = self.asked <= self.answered;
        self.pairing.saw_request(none_waits && !matches!(self.halves[1 - side].state, State::Lost { .. }));
        self.asked += 1;
        self.halves[side].tracked = true;
        match head.fields {
            _ if &bytes[head.word.clone()] == b"CONNECT" => State::Tunnel,
            fields if fields.chunked => State::Chunked(Chunk::START),
            fields => match fields.length {
                Length::Absent | Length::Known(0) => State::Start,
                Length::Known(length) => State::Fixed(length),
                Length::Invalid => State::Unframed { chunked: false },
            },
        }
    }

    fn response_head(&mut self, head: &Head, side: usize) -> State {
        self.halves[side].tracked = false;
        let interim = (100..200).contains(&head.status) && head.status != 101;
        if interim {
            return State::Start;
        }
        let waiting = self.asked.saturating_sub(self.answered);
        match self.pairing.respond(waiting) {
            Verdict::Answers => self.halves[side].tracked = true,
            Verdict::Early if self.exchanges.len() < EARLY_MAX => {
                self.exchanges.push_back(self.spare.take().unwrap_or_default());
                self.halves[side].tracked = true;
            }
            // What was asked before anyone looked is not a loss.
            Verdict::Older => {}
            Verdict::Early | Verdict::Unknown => {
                self.counts.unpaired_responses += 1;
                self.forget_head(1 - side);
            }
            Verdict::Ambiguous => {
                self.counts.unpaired_responses += 1;
                self.give_up();
                self.forget_head(1 - side);
            }
        }
        let (mut no_body, mut connect) = (matches!(head.status, 204 | 304), false);
        if self.halves[side].tracked {
            self.answered += 1;
            // A request whose end could not be computed ends where its response begins.
            let requests = 1 - side;
            if self.answered == self.asked && matches!(self.halves[requests].state, State::Unframed { .. }) {
                self.end_message(requests, State::Start);
            }
            if let Some(exchange) = self.exchanges.get(self.answered - 1) {
                no_body |= exchange.request.method() == b"HEAD";
                connect = exchange.request.method() == b"CONNECT";
            }
        }
        if head.status == 101 || connect && (200..300).contains(&head.status) {
            return State::Opaque;
        }
        if connect {
            self.halves[1 - side].state = State::Lost { events: 0 };
        }
        match head.fields {
            _ if no_body => State::Start,
            fields if fields.chunked => State::Chunked(Chunk::START),
            fields => match fields.length {
                Length::Absent => State::UntilClose,
                Length::Known(0) => State::Start,
                Length::Known(length) => State::Fixed(length),
                Length::Invalid => State::Unframed { chunked: false },
            },
        }
    }

    /// A request of which the end was missed may be the one that was just answered.
    fn forget_head(&mut self, side: usize) {
        if self.halves[side].state == State::Head {
            self.counts.unpaired_requests += 1;
            self.halves[side].drop_buffer();
            self.halves[side].state = State::Lost { events: 0 };
            self.pairing.requests_missed(0);
        }
    }

    /// Drops the requests that wait for a response, since it could not be told apart.
    fn give_up(&mut self) {
        if self.asked <= self.answered {
            return;
        }
        let dropped = self.exchanges.len() - self.answered;
        self.exchanges.truncate(self.answered);
        self.asked = self.answered;
        self.counts.unpaired_requests += dropped as u64;
        if let Some(direction) = self.requests {
            self.halves[direction as usize].tracked = false;
        }
    }

    fn deliver(&mut self, pool: &mut Pool, emit: &mut (impl FnMut(&Exchange) + ?Sized)) {
        if let Some(spare) = self.spare.take() {
            pool.give(spare);
        }
        while self.asked > 0
            && self.answered > 0
            && self.exchanges.front().is_some_and(|exchange| exchange.request.done && exchange.response.done)
        {
            let Some(exchange) = self.exchanges.pop_front() else { return };
            self.asked -= 1;
            self.answered -= 1;
            self.counts.exchanges += 1;
            emit(&exchange);
            pool.give(exchange);
        }
    }
}

/// How a message goes on whose head is cut off: it ends with this event where that can be told.
fn cut_framing(head: &Head, bytes: &[u8], framed: State, unseen: u64) -> State {
    if matches!(framed, State::Opaque | State::Tunnel) {
        return framed;
    }
    let method = &bytes[head.word.clone()];
    let ends_here = match (head.kind, head.fields.length) {
        (_, Length::Known(body)) => unseen >= body,
        (_, Length::Invalid) => false,
        (Kind::Request, Length::Absent) => {
            !head.fields.chunked && matches!(method, b"GET" | b"HEAD" | b"DELETE" | b"OPTIONS")
        }
        (Kind::Response, Length::Absent) => matches!(head.status, 100..200 | 204 | 304),
    };
    if ends_here { State::Start } else { State::Unframed { chunked: head.fields.chunked } }
}
