//! Requests and answers by stream, and envelopes out of segments.

use super::compression::{self, Method};
use super::frame::{COMPRESSED, EVENT, HEADER_BYTES, Header, STARTUP, Segment, crc32};
use super::infer;
use super::table::{Statements, option};
use crate::exchange::Span;
use crate::pairing::ById;
use crate::protocol::{
    Description, Frame, Inference, LIKELY, Measure, Output, Protocol, RESYNC_BYTES, Resync, RowTime, Setup, Side,
};

const WAITING_MAX: usize = 2048;
const BODY_BYTES: usize = 8192;
/// A compressed body that is longer is not unpacked.
const COMPRESSED_MAX: usize = 48 << 10;

/// CQL on one connection.
#[derive(Debug)]
pub struct Cql {
    keep: usize,
    from_start: bool,
    requests: ById<i16>,
    statements: Statements,
    method: Option<Method>,
    /// By side: envelopes in segments.
    envelopes: [Envelopes; 2],
}

/// An envelope that is put together from segments.
#[derive(Debug, Default)]
struct Envelopes {
    held: Vec<u8>,
    span: Span,
    /// Bytes of it that are still to come.
    left: usize,
    cut: bool,
    /// The beginning of the next one was missed: only a segment with whole envelopes has it.
    lost: bool,
}

impl Protocol for Cql {
    const DESCRIPTION: Description = Description {
        name: "CQL",
        number: 4,
        table: "cql_events",
        time: RowTime::Response,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Cql {
            keep: setup.body_bytes.max(BODY_BYTES),
            from_start: setup.from_start,
            requests: ById::new(WAITING_MAX),
            statements: Statements::default(),
            method: None,
            envelopes: std::array::from_fn(|_| Envelopes { lost: !setup.from_start, ..Envelopes::default() }),
        }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure {
        if bytes.len() < HEADER_BYTES {
            return Measure::More;
        }
        if let Some(segment) = Segment::read(bytes) {
            return Measure::Frame { length: segment.total() as u64, keep: segment.total() };
        }
        match Header::read_bare(bytes) {
            Some(header) if header.side == side => {
                let keep = if header.flags & COMPRESSED != 0 { COMPRESSED_MAX } else { self.keep };
                let length = HEADER_BYTES + header.length as usize;
                Measure::Frame { length: length as u64, keep: length.min(HEADER_BYTES + keep) }
            }
            Some(_) | None => Measure::Invalid,
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        match Segment::read(frame.bytes) {
            Some(segment) => self.segment(segment, frame, output),
            None => self.envelope(frame.bytes, frame.span, frame.cut, output),
        }
    }

    fn missed(&mut self, side: Side, _output: &mut Output<'_>) {
        self.envelopes[side as usize] = Envelopes { lost: true, ..Envelopes::default() };
        self.requests.missed();
    }

    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        match infer::starts(side, bytes) {
            LIKELY.. => Resync::At(0),
            1.. if bytes.len() < RESYNC_BYTES => Resync::Wait,
            _ => Resync::No,
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        self.requests.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.requests.is_empty()
    }
}

impl Cql {
    fn segment(&mut self, segment: Segment, frame: &Frame<'_>, output: &mut Output<'_>) {
        let at = frame.side as usize;
        let end = (segment.header + segment.length).min(frame.bytes.len());
        let payload = &frame.bytes[segment.header.min(end)..end];
        let seen = payload.len() == segment.length;
        let checksum = frame.bytes.get(end..).and_then(|rest| rest.first_chunk::<4>());
        let wrong = seen && checksum.is_some_and(|checksum| u32::from_le_bytes(*checksum) != crc32(payload));
        let unpacked = match segment.unpacked {
            Some(length) if seen => compression::lz4(payload, length),
            Some(_) => None,
            None => Some(payload.to_vec()),
        };
        let Some(content) = unpacked.filter(|_| !wrong) else {
            output.counts.garbage += u64::from(wrong);
            return self.missed(frame.side, output);
        };
        let mut envelopes = std::mem::take(&mut self.envelopes[at]);
        if segment.whole {
            envelopes = Envelopes::default();
        }
        if !envelopes.lost {
            self.join(&mut envelopes, frame, &content, segment.unpacked.unwrap_or(segment.length), output);
        }
        self.envelopes[at] = envelopes;
    }

    /// Adds a segment's content, of which the end may not have been seen, to the envelope in progress.
    fn join(
        &mut self,
        envelopes: &mut Envelopes,
        frame: &Frame<'_>,
        mut content: &[u8],
        length: usize,
        output: &mut Output<'_>,
    ) {
        let mut unseen = length - content.len().min(length);
        let mut span = frame.span;
        let (wire, whole) = (frame.span.bytes, length.max(1) as u64);
        let mut overhead = wire.saturating_sub(whole);
        while !content.is_empty() || unseen > 0 {
            if envelopes.left == 0 {
                let header = Header::read(content).filter(|header| header.side == frame.side);
                let Some(header) = header else {
                    output.counts.garbage += 1;
                    return self.lose(envelopes, output);
                };
                *envelopes = Envelopes { left: HEADER_BYTES + header.length as usize, ..Envelopes::default() };
            }
            let taken = envelopes.left.min(content.len());
            let kept = taken.min((HEADER_BYTES + self.keep).saturating_sub(envelopes.held.len()));
            envelopes.held.extend_from_slice(&content[..kept]);
            envelopes.left -= taken;
            content = &content[taken..];
            let mut share = taken as u64;
            if content.is_empty() && unseen > 0 {
                let passed = unseen.min(envelopes.left);
                envelopes.cut |= envelopes.held.len() < HEADER_BYTES + self.keep;
                envelopes.left -= passed;
                unseen -= passed;
                share += passed as u64;
            }
            // What a segment adds is its first envelope's; what compression saves is shared.
            let share = if wire < whole { (share * wire / whole).max(1) } else { share };
            span.bytes = share + std::mem::take(&mut overhead);
            envelopes.span.extend(span);
            span.start_ns = span.end_ns;
            if envelopes.left == 0 {
                let done = std::mem::take(envelopes);
                self.envelope(&done.held, done.span, done.cut, output);
            }
        }
    }

    fn lose(&mut self, envelopes: &mut Envelopes, output: &mut Output<'_>) {
        *envelopes = Envelopes { lost: true, ..Envelopes::default() };
        self.requests.missed();
        output.counts.garbage += 1;
    }

    fn envelope(&mut self, bytes: &[u8], span: Span, cut: bool, output: &mut Output<'_>) {
        let Some(header) = Header::read(bytes) else {
            output.counts.garbage += 1;
            return;
        };
        self.envelopes[header.side as usize].lost = false;
        let body = &bytes[HEADER_BYTES..];
        let unpacked = (header.flags & COMPRESSED != 0).then(|| compression::body(self.method, body));
        let readable = !matches!(unpacked, Some(None));
        let unpacked = unpacked.flatten();
        let body = match &unpacked {
            Some(unpacked) => &unpacked[..],
            None if readable => body,
            None => &[],
        };
        // A body that is too long to be unpacked is not seen.
        let cut = cut || !readable;
        match header.side {
            Side::Client => self.ask(header, body, span, cut, output),
            Side::Server => self.answer(header, body, span, cut, output),
        }
    }

    fn ask(&mut self, header: Header, body: &[u8], span: Span, cut: bool, output: &mut Output<'_>) {
        if header.opcode == STARTUP {
            self.method = match option(body, b"COMPRESSION") {
                Some(b"lz4") => Some(Method::Lz4),
                Some(b"snappy") => Some(Method::Snappy),
                _ => None,
            };
        }
        let mut exchange = output.pool.take();
        exchange.request = span;
        let known = self.statements.set_request(&mut exchange, header, body);
        exchange.partial = cut || !known;
        self.requests.ask(header.stream, exchange, output);
    }

    fn answer(&mut self, header: Header, body: &[u8], span: Span, cut: bool, output: &mut Output<'_>) {
        let event = header.opcode == EVENT;
        let found = if event { None } else { self.requests.answer(&header.stream, output) };
        let early = found.is_none() && self.from_start && !event;
        if found.is_none() && !early && !event {
            return;
        }
        let mut exchange = found.unwrap_or_else(|| output.pool.take());
        exchange.response = span;
        exchange.partial |= cut;
        self.statements.set_answer(&mut exchange, header, body);
        if early {
            return self.requests.answer_early(header.stream, exchange, output);
        }
        if event {
            (exchange.request.start_ns, exchange.request.end_ns) = (span.end_ns, span.end_ns);
            exchange.note = "pushed";
        }
        output.emit(exchange);
    }
}
