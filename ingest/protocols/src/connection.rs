//! Any [`Protocol`] on one connection, and the object-safe face of it.

use std::fmt::Debug;

use crate::counts::Counts;
use crate::exchange::{Exchange, Pool, Span};
use crate::protocol::{Description, Frame, Measure, Output, Protocol, Resync, Setup, Side};
use crate::segment::{Direction, Segment};
use crate::stream::{BUFFER_MAX, Pending, Stream};

/// Segments without a frame in a direction that is lost, before the choice of the protocol is in doubt.
const LOST_MAX: u32 = 32;
/// The same behind a hole, where it is no wonder: what is written may begin anywhere for as long as a body lasts.
const LOST_BEHIND_HOLE_MAX: u32 = 1024;
/// So many places without a frame, with no frame between them, and the choice of the protocol is in doubt.
const GARBAGE_MAX: u32 = 4;

/// A connection's parser, whatever the protocol.
pub trait ConnectionParser: Debug {
    /// The protocol.
    fn description(&self) -> &'static Description;
    /// Which way requests go, if anything of the connection told.
    fn requests(&self) -> Option<Direction>;
    /// Takes the next segment of a direction. Its position tells what was lost before it; bytes seen before are
    /// passed over.
    fn segment(&mut self, segment: &Segment<'_>, pool: &mut Pool, sink: &mut dyn FnMut(&Exchange));
    /// Completes what only time can end. Call once in a while.
    fn expire(&mut self, now_ns: i64, pool: &mut Pool, sink: &mut dyn FnMut(&Exchange));
    /// The connection is closed.
    fn finish(&mut self, pool: &mut Pool, sink: &mut dyn FnMut(&Exchange));
    /// Where the next segment of a direction should be, if that is known.
    fn expected(&self, direction: Direction) -> Option<u64>;
    /// Whether [`Self::expire`] has nothing to do.
    fn at_rest(&self) -> bool;
    /// Whether nothing more will come of the connection.
    fn opaque(&self) -> bool;
    /// Whether it looks as if this were another protocol.
    fn misjudged(&self) -> bool;
    /// Whether a frame was understood.
    fn recognised(&self) -> bool;
    /// The counts since the last call.
    fn take_counts(&mut self) -> Counts;
}

/// A protocol on one connection.
#[derive(Debug)]
pub struct Connection<P> {
    protocol: P,
    setup: Setup,
    /// By direction.
    streams: [Stream; 2],
    requests: Direction,
    counts: Counts,
    recognised: bool,
    garbage_in_a_row: u32,
    lost_segments: u32,
}

impl<P: Protocol> Connection<P> {
    /// A parser for a connection of which nothing was seen yet.
    #[must_use]
    pub fn new(setup: Setup, requests: Direction) -> Self {
        let mut streams = [Stream::default(), Stream::default()];
        streams.iter_mut().for_each(|stream| stream.lost = !setup.from_start);
        Connection {
            protocol: P::new(setup),
            setup,
            streams,
            requests,
            counts: Counts::default(),
            recognised: false,
            garbage_in_a_row: 0,
            lost_segments: 0,
        }
    }

    /// A parser for what a connection has become; `next` is where its first byte is, by direction.
    #[must_use]
    pub fn resumed(protocol: P, setup: Setup, requests: Direction, next: [Option<u64>; 2]) -> Self {
        let mut connection = Connection { protocol, ..Connection::new(setup, requests) };
        connection.streams.iter_mut().zip(next).for_each(|(stream, next)| stream.next = next);
        connection
    }

    /// The protocol's own state, for tests.
    #[must_use]
    pub fn protocol(&self) -> &P {
        &self.protocol
    }

    fn side(&self, direction: Direction) -> Side {
        if direction == self.requests { Side::Client } else { Side::Server }
    }

    fn output<R>(&mut self, shared: &mut Shared<'_>, step: impl FnOnce(&mut P, &mut Output<'_>) -> R) -> R {
        let mut output = Output { pool: shared.pool, counts: &mut self.counts, sink: shared.sink };
        step(&mut self.protocol, &mut output)
    }

    fn emit_frame(&mut self, side: Side, bytes: &[u8], span: Span, cut: bool, shared: &mut Shared<'_>) {
        (self.recognised, self.garbage_in_a_row, self.lost_segments) = (true, 0, 0);
        let frame = Frame { side, bytes, span, cut };
        self.output(shared, |protocol, output| protocol.frame(&frame, output));
    }

    fn lose(&mut self, at: usize, side: Side, time_ns: i64, shared: &mut Shared<'_>) {
        let stream = &mut self.streams[at];
        stream.reset(time_ns);
        stream.lost = true;
        self.output(shared, |protocol, output| protocol.missed(side, output));
    }

    fn garbage(&mut self, at: usize, side: Side, time_ns: i64, shared: &mut Shared<'_>) {
        self.counts.garbage += 1;
        self.garbage_in_a_row += 1;
        self.lose(at, side, time_ns, shared);
    }

    /// Bytes pass in which frames may begin that nobody sees; those of a gap are counted where they were lost.
    fn pass_over(&mut self, at: usize, bytes: u64) {
        if self.streams[at].torn && bytes > 0 {
            self.counts.out_of_step += 1;
            self.counts.out_of_step_bytes = self.counts.out_of_step_bytes.saturating_add(bytes);
        }
    }

    /// The frame in progress has passed.
    fn complete(&mut self, at: usize, side: Side, time_ns: i64, shared: &mut Shared<'_>) {
        let stream = &mut self.streams[at];
        let buffer = std::mem::take(&mut stream.buffer);
        let (span, cut) = (stream.span(buffer.len() as u64, time_ns), stream.cut);
        self.emit_frame(side, &buffer, span, cut, shared);
        self.streams[at].buffer = buffer;
        self.streams[at].reset(time_ns);
    }

    /// Bytes passed that cannot be seen, elided or lost.
    fn hole(&mut self, at: usize, side: Side, mut count: u64, lost: bool, time_ns: i64, shared: &mut Shared<'_>) {
        if count > 0 && self.streams[at].lost {
            // What waits for its rest does not go on behind the hole.
            self.streams[at].reset(time_ns);
            self.pass_over(at, if lost { 0 } else { count });
            return self.output(shared, |protocol, output| protocol.missed(side, output));
        }
        let mut asked = false;
        while count > 0 && !self.streams[at].lost {
            let stream = &mut self.streams[at];
            let passed = stream.pass(count, lost);
            count -= passed;
            if stream.pending.is_some_and(|pending| pending.left == 0) {
                self.complete(at, side, time_ns, shared);
                asked = false;
                continue;
            }
            if passed > 0 {
                asked = false;
                continue;
            }
            let buffer = std::mem::take(&mut stream.buffer);
            let measure = if asked { Measure::Invalid } else { self.protocol.at_hole(side, &buffer) };
            asked = true;
            let held = buffer.len();
            let stream = &mut self.streams[at];
            stream.buffer = buffer;
            match measure {
                Measure::Frame { length, keep } if length > held as u64 + stream.elided => {
                    stream.pending = Some(Pending { left: length - held as u64 - stream.elided, keep });
                }
                Measure::Elide { at: offset, count } if offset == held => stream.skip = count,
                Measure::Frame { .. } | Measure::Elide { .. } | Measure::More | Measure::Invalid => {
                    self.lose(at, side, time_ns, shared);
                    self.streams[at].torn = true;
                    self.pass_over(at, if lost { 0 } else { count });
                }
            }
        }
    }

    fn bytes(&mut self, at: usize, side: Side, mut rest: &[u8], time_ns: i64, shared: &mut Shared<'_>) {
        if self.streams[at].lost {
            let Some(found) = self.resynchronise(at, side, rest, time_ns) else {
                self.pass_over(at, rest.len() as u64);
                return self.output(shared, |protocol, output| protocol.missed(side, output));
            };
            rest = &rest[found..];
        }
        while !rest.is_empty() && !self.streams[at].lost {
            let stream = &mut self.streams[at];
            if !stream.in_frame() {
                stream.since_ns = time_ns;
            }
            let taken = stream.take(rest);
            rest = &rest[taken..];
            if stream.pending.is_some_and(|pending| pending.left == 0) {
                self.complete(at, side, time_ns, shared);
                continue;
            }
            if rest.is_empty() {
                break;
            }
            if stream.buffer.is_empty() {
                rest = &rest[self.step(at, side, rest, time_ns, shared)..];
                continue;
            }
            let mut buffer = std::mem::take(&mut stream.buffer);
            let before = buffer.len();
            buffer.extend_from_slice(&rest[..rest.len().min(BUFFER_MAX.saturating_sub(before))]);
            let used = self.step(at, side, &buffer, time_ns, shared);
            if used >= before {
                // The rest is parsed where it is.
                rest = &rest[used - before..];
                continue;
            }
            // A frame ended within what was held back before: only a protocol that changed its mind does that.
            self.garbage(at, side, time_ns, shared);
        }
        // What was elided at the very end may have completed nothing yet.
        self.streams[at].last_ns = time_ns;
    }

    /// One frame, or the beginning of one, from the start of `bytes`, whose stream buffer is empty. Returns how much
    /// of it is dealt with; what has to be kept is in the stream's buffer then.
    fn step(&mut self, at: usize, side: Side, bytes: &[u8], time_ns: i64, shared: &mut Shared<'_>) -> usize {
        let measure = self.protocol.measure(side, bytes);
        let elided = self.streams[at].elided;
        match measure {
            Measure::Frame { length, keep } if length > elided => {
                let length = length - elided;
                if length <= bytes.len() as u64 {
                    let whole = &bytes[..length as usize];
                    let (span, cut) = (self.streams[at].span(length, time_ns), self.streams[at].cut);
                    self.emit_frame(side, &whole[..keep.min(whole.len())], span, cut, shared);
                    self.streams[at].reset(time_ns);
                    return whole.len();
                }
                let stream = &mut self.streams[at];
                let keep = keep.min(BUFFER_MAX);
                let kept = keep.min(bytes.len());
                stream.buffer.extend_from_slice(&bytes[..kept]);
                stream.elided += (bytes.len() - kept) as u64;
                stream.pending = Some(Pending { left: length - bytes.len() as u64, keep });
                bytes.len()
            }
            Measure::Elide { at: offset, count } if offset <= bytes.len() && count > 0 => {
                let stream = &mut self.streams[at];
                let inside = count.min((bytes.len() - offset) as u64);
                stream.buffer.extend_from_slice(&bytes[..offset]);
                stream.elided += inside;
                stream.skip = count - inside;
                offset + inside as usize
            }
            Measure::More if bytes.len() < BUFFER_MAX => {
                self.streams[at].buffer.extend_from_slice(bytes);
                bytes.len()
            }
            Measure::Frame { .. } | Measure::Elide { .. } | Measure::More | Measure::Invalid => {
                self.garbage(at, side, time_ns, shared);
                bytes.len()
            }
        }
    }

    /// Where a frame starts in a direction that was lost, relative to `bytes`.
    fn resynchronise(&mut self, at: usize, side: Side, bytes: &[u8], time_ns: i64) -> Option<usize> {
        let stream = &mut self.streams[at];
        let mut buffer = std::mem::take(&mut stream.buffer);
        let before = buffer.len();
        if before == 0 {
            stream.since_ns = time_ns;
        }
        buffer.extend_from_slice(&bytes[..bytes.len().min(BUFFER_MAX - before.min(BUFFER_MAX))]);
        let mut found = self.protocol.resynchronise(side, &buffer);
        if before > 0 && !matches!(found, Resync::At(_) | Resync::Wait) {
            // What was held back led nowhere; this segment may still begin with a frame.
            buffer.drain(..before);
            found = self.protocol.resynchronise(side, &buffer);
            self.streams[at].since_ns = time_ns;
        }
        let stream = &mut self.streams[at];
        match found {
            Resync::At(offset) if offset < buffer.len() => {
                (stream.lost, stream.torn) = (false, false);
                let held = buffer.len().saturating_sub(bytes.len());
                if offset >= held {
                    return Some(offset - held);
                }
                buffer.truncate(held);
                buffer.drain(..offset);
                stream.buffer = buffer;
                Some(0)
            }
            Resync::Wait if buffer.len() < BUFFER_MAX => {
                stream.buffer = buffer;
                None
            }
            Resync::At(_) | Resync::Wait | Resync::No => {
                self.lost_segments = self.lost_segments.saturating_add(1);
                None
            }
        }
    }

    fn datagram(&mut self, segment: &Segment<'_>, shared: &mut Shared<'_>) {
        let side = self.side(segment.direction);
        let span = Span { start_ns: segment.time_ns, end_ns: segment.time_ns, bytes: u64::from(segment.length) };
        if segment.captured.is_empty() || P::infer_datagram(segment.captured).score == 0 {
            self.counts.garbage += u64::from(!segment.captured.is_empty());
            self.garbage_in_a_row += u32::from(!segment.captured.is_empty());
            return;
        }
        let cut = segment.captured.len() < segment.length as usize;
        self.emit_frame(side, segment.captured, span, cut, shared);
    }
}

/// What a call lends to the protocol.
struct Shared<'a> {
    pool: &'a mut Pool,
    sink: &'a mut dyn FnMut(&Exchange),
}

impl<P: Protocol> ConnectionParser for Connection<P> {
    fn description(&self) -> &'static Description {
        &P::DESCRIPTION
    }

    fn requests(&self) -> Option<Direction> {
        self.protocol.tells_who_asks().then_some(self.requests)
    }

    fn segment(&mut self, segment: &Segment<'_>, pool: &mut Pool, sink: &mut dyn FnMut(&Exchange)) {
        let shared = &mut Shared { pool, sink };
        if self.setup.datagrams {
            return self.datagram(segment, shared);
        }
        let (at, side, time_ns) = (segment.direction as usize, self.side(segment.direction), segment.time_ns);
        let length = u64::from(segment.length);
        let mut captured = &segment.captured[..segment.captured.len().min(segment.length as usize)];
        let mut unseen = length - captured.len() as u64;
        let end = segment.position.saturating_add(length);
        let expected = self.expected(segment.direction).unwrap_or(segment.position);
        if segment.position > expected {
            let lost = segment.position - expected;
            self.counts.gaps += 1;
            self.counts.gap_bytes = self.counts.gap_bytes.saturating_add(lost);
            self.hole(at, side, lost, true, time_ns, shared);
        } else {
            let seen = (expected - segment.position).min(length);
            let of_captured = seen.min(captured.len() as u64) as usize;
            captured = &captured[of_captured..];
            unseen -= (seen - of_captured as u64).min(unseen);
        }
        let stream = &mut self.streams[at];
        stream.next = Some(end.max(expected));
        if !captured.is_empty() {
            self.bytes(at, side, captured, time_ns, shared);
        }
        self.hole(at, side, unseen, false, time_ns, shared);
    }

    fn expire(&mut self, now_ns: i64, pool: &mut Pool, sink: &mut dyn FnMut(&Exchange)) {
        self.output(&mut Shared { pool, sink }, |protocol, output| protocol.expire(now_ns, output));
    }

    fn finish(&mut self, pool: &mut Pool, sink: &mut dyn FnMut(&Exchange)) {
        self.output(&mut Shared { pool, sink }, |protocol, output| protocol.finish(output));
    }

    fn expected(&self, direction: Direction) -> Option<u64> {
        if self.setup.datagrams {
            return None;
        }
        self.streams[direction as usize].next.or(self.setup.from_start.then_some(0))
    }

    fn at_rest(&self) -> bool {
        self.protocol.at_rest()
    }

    fn opaque(&self) -> bool {
        self.protocol.opaque()
    }

    fn misjudged(&self) -> bool {
        let is_torn = self.streams.iter().any(|stream| stream.torn);
        let lost_max = if is_torn { LOST_BEHIND_HOLE_MAX } else { LOST_MAX };
        self.garbage_in_a_row >= GARBAGE_MAX || self.lost_segments >= lost_max
    }

    fn recognised(&self) -> bool {
        self.recognised
    }

    fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
}
