//! Commands and replies by id.

use super::frame::{self, COMPRESSED, GET_MORE, HEADER_BYTES, Header, MORE_TO_COME, MSG, QUERY, REPLY};
use super::{compression, infer, table};
use crate::exchange::{Exchange, Span};
use crate::pairing::ById;
use crate::protocol::{Description, Frame, Inference, Measure, Output, Protocol, RowTime, Setup, Side};
use crate::reader::Reader;

const WAITING_MAX: usize = 1024;
const BODY_BYTES: usize = 8192;
/// Bytes of a compressed message that are kept.
const COMPRESSED_BYTES: usize = 48 << 10;

/// MongoDB on one connection.
#[derive(Debug)]
pub struct Mongodb {
    keep: usize,
    from_start: bool,
    requests: ById<i32>,
}

/// A message's own body, unpacked.
#[derive(Debug, Clone, Copy)]
struct Body<'a> {
    opcode: i32,
    bytes: &'a [u8],
    /// Bytes of it that were sent.
    whole: usize,
}

impl Protocol for Mongodb {
    const DESCRIPTION: Description = Description {
        name: "MongoDB",
        number: 9,
        table: "mongodb_events",
        time: RowTime::Request,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        let keep = setup.body_bytes.max(BODY_BYTES);
        Mongodb { keep, from_start: setup.from_start, requests: ById::new(WAITING_MAX) }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure {
        if bytes.len() < HEADER_BYTES {
            return Measure::More;
        }
        let fits = |header: &Header| match side {
            Side::Client => header.client_sends(),
            Side::Server => header.server_sends(),
        };
        let Some(header) = Header::read(bytes).filter(fits) else { return Measure::Invalid };
        let keep = if header.opcode == COMPRESSED { COMPRESSED_BYTES } else { self.keep };
        Measure::Frame { length: header.length as u64, keep: header.length.min(HEADER_BYTES + keep) }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let Some(header) = Header::read(frame.bytes) else {
            output.counts.garbage += 1;
            return;
        };
        let bytes = &frame.bytes[HEADER_BYTES..];
        let unpacked = if header.opcode == COMPRESSED { self.unpack(bytes) } else { None };
        let body = match &unpacked {
            Some((opcode, whole, unpacked)) => Body { opcode: *opcode, bytes: unpacked, whole: *whole },
            None => Body { opcode: header.opcode, bytes, whole: header.length - HEADER_BYTES },
        };
        // A body that cannot be unpacked is not seen.
        let cut = frame.cut || body.opcode == COMPRESSED;
        match frame.side {
            Side::Client => self.ask(header, body, frame.span, cut, output),
            Side::Server => self.answer(header, body, frame.span, cut, output),
        }
    }

    fn missed(&mut self, _side: Side, _output: &mut Output<'_>) {
        self.requests.missed();
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        self.requests.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.requests.is_empty()
    }
}

impl Mongodb {
    /// What a compressed message was, with its length and as much of it as is of use.
    fn unpack(&self, bytes: &[u8]) -> Option<(i32, usize, Vec<u8>)> {
        let mut reader = Reader::new(bytes);
        let (opcode, whole) = (reader.i32_le()?, reader.u32_le()? as usize);
        let compressor = reader.u8()?;
        let unpacked = compression::unpack(compressor, reader.rest(), whole.min(self.keep))?;
        (opcode != COMPRESSED).then_some((opcode, whole, unpacked))
    }

    fn ask(&mut self, header: Header, body: Body<'_>, span: Span, cut: bool, output: &mut Output<'_>) {
        let mut exchange = output.pool.take();
        exchange.request = span;
        exchange.partial = cut;
        let mut answered = true;
        let known = match body.opcode {
            MSG => match frame::message(body.bytes, body.whole) {
                Some(message) => {
                    answered = message.flags & MORE_TO_COME == 0;
                    table::set_command(&mut exchange, &message)
                }
                None => false,
            },
            QUERY => table::set_query(&mut exchange, body.bytes),
            COMPRESSED => false,
            opcode => {
                answered = opcode == GET_MORE;
                table::set_older(&mut exchange, opcode, body.bytes);
                true
            }
        };
        exchange.partial |= !known;
        if answered {
            return self.requests.ask(header.id, exchange, output);
        }
        exchange.response = Span { start_ns: span.end_ns, end_ns: span.end_ns, bytes: 0 };
        output.emit(exchange);
    }

    fn answer(&mut self, header: Header, body: Body<'_>, span: Span, cut: bool, output: &mut Output<'_>) {
        let message = if body.opcode == MSG { frame::message(body.bytes, body.whole) } else { None };
        let more = message.as_ref().is_some_and(|message| message.flags & MORE_TO_COME != 0);
        let found = self.requests.answer(&header.response_to, output);
        let early = found.is_none() && self.from_start && !more;
        if found.is_none() && !early {
            return;
        }
        let mut exchange = found.unwrap_or_else(|| output.pool.take());
        let next = more.then(|| follow(&exchange, span, output));
        exchange.response = span;
        exchange.partial |= cut;
        match message {
            Some(message) => table::set_reply(&mut exchange, &message),
            None if body.opcode == REPLY => table::set_older_reply(&mut exchange, body.bytes),
            None => exchange.partial = true,
        }
        if early {
            return self.requests.answer_early(header.response_to, exchange, output);
        }
        output.emit(exchange);
        if let Some(next) = next {
            self.requests.ask(header.id, next, output);
        }
    }
}

/// The same request once more, for the next of several replies: it names the one before it, and waits from then on.
fn follow(asked: &Exchange, span: Span, output: &mut Output<'_>) -> Box<Exchange> {
    let mut next = output.pool.take();
    next.take_request(asked);
    next.request = Span { start_ns: span.end_ns, end_ns: span.end_ns, bytes: 0 };
    next
}
