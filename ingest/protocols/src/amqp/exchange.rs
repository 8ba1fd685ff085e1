//! Methods with their answers, and content put together.

use super::frame::{BODY, HEAD_BYTES, HEADER, Head, METHOD, PROTOCOL};
use super::infer;
use super::method::{self, Method, Role};
use super::table::{self, Half};
use crate::exchange::{Exchange, Span};
use crate::pairing::ById;
use crate::protocol::{Description, Frame, Inference, Measure, Output, Protocol, RowTime, Setup, Side};
use crate::reader::Reader;

const WAITING_MAX: usize = 1024;
const CONTENTS_MAX: usize = 256;
const METHOD_BYTES: usize = 8192;

/// A method that waits: its channel, who sent it, its class and number.
type Key = (u16, Side, u16, u16);

/// AMQP on one connection.
#[derive(Debug)]
pub struct Amqp {
    body_bytes: usize,
    waiting: ById<Key>,
    contents: Vec<Content>,
    /// A frame in progress whose head was not seen, by side.
    foreseen: [Option<Head>; 2],
}

/// A method whose content is on its way.
#[derive(Debug)]
struct Content {
    side: Side,
    channel: u16,
    half: Half,
    exchange: Box<Exchange>,
    /// Bytes of the body, and those still to come; unknown before the header.
    size: Option<u64>,
    left: u64,
    /// Bytes of the last frame's payload: all but the last of a body have as many.
    frame_bytes: usize,
    properties: Vec<u8>,
    head: Vec<u8>,
}

impl Protocol for Amqp {
    const DESCRIPTION: Description = Description {
        name: "AMQP",
        number: 12,
        table: "amqp_events",
        time: RowTime::Later,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Amqp {
            body_bytes: setup.body_bytes,
            waiting: ById::new(WAITING_MAX),
            contents: Vec::new(),
            foreseen: [None; 2],
        }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, _side: Side, bytes: &[u8]) -> Measure {
        let shown = bytes.len().min(PROTOCOL.len());
        if bytes[..shown] == PROTOCOL[..shown] {
            let whole = Measure::Frame { length: PROTOCOL.len() as u64, keep: PROTOCOL.len() };
            return if shown < PROTOCOL.len() { Measure::More } else { whole };
        }
        if bytes.len() < HEAD_BYTES {
            return if matches!(bytes[0], 1..=3 | 8) { Measure::More } else { Measure::Invalid };
        }
        let Some(head) = Head::read(bytes) else { return Measure::Invalid };
        let keep = if head.kind == BODY { self.body_bytes } else { METHOD_BYTES };
        Measure::Frame { length: head.total() as u64, keep: head.total().min(HEAD_BYTES + keep) }
    }

    /// Behind a frame of a body comes the next one, until the body is complete.
    fn at_hole(&mut self, side: Side, bytes: &[u8]) -> Measure {
        let mut of_side = self.contents.iter().filter(|content| content.side == side);
        let (Some(content), None) = (of_side.next(), of_side.next()) else { return Measure::Invalid };
        if bytes.len() >= HEAD_BYTES || content.left == 0 || content.frame_bytes == 0 {
            return Measure::Invalid;
        }
        let size = usize::try_from(content.left).map_or(content.frame_bytes, |left| left.min(content.frame_bytes));
        let head = Head { kind: BODY, channel: content.channel, size };
        self.foreseen[side as usize] = Some(head);
        Measure::Frame { length: head.total() as u64, keep: 0 }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        if let Some(head) = self.foreseen[frame.side as usize].take() {
            return self.content(head, b"", &Frame { cut: true, ..*frame }, output);
        }
        let Some(head) = Head::read(frame.bytes) else { return };
        let end = frame.bytes.len().min(HEAD_BYTES + head.size);
        let payload = &frame.bytes[HEAD_BYTES..end];
        match head.kind {
            METHOD => self.method(head, payload, frame, output),
            HEADER | BODY => self.content(head, payload, frame, output),
            _ => {}
        }
    }

    fn missed(&mut self, side: Side, output: &mut Output<'_>) {
        self.give_up(output, |content| content.side == side);
        self.foreseen[side as usize] = None;
        self.waiting.missed();
        // An answer whose content is on its way may be to another request than it seems.
        self.contents.iter_mut().for_each(|content| content.exchange.partial = true);
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        self.give_up(output, |_| true);
        // Who is refused goes without another word.
        while let Some(refused) = self.waiting.take_failed() {
            alone(refused, output);
        }
        self.waiting.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.waiting.is_empty() && self.contents.is_empty()
    }
}

impl Amqp {
    fn method(&mut self, head: Head, payload: &[u8], frame: &Frame<'_>, output: &mut Output<'_>) {
        let mut reader = Reader::new(payload);
        let numbers = reader.u16().zip(reader.u16());
        let Some(method) = numbers.and_then(|(class, number)| method::find(class, number)) else {
            output.counts.garbage += 1;
            return;
        };
        self.give_up(output, |content| content.side == frame.side && content.channel == head.channel);
        let arguments = reader.rest();
        if method.role == Role::Asks && matches!((method.class, method.number), (10, 50) | (20, 40)) {
            self.fail(head, method, arguments, frame, output);
        }
        match method.role {
            Role::Answers(asked) | Role::AnswersWith(asked) => {
                let key = (head.channel, frame.side.other(), method.class, asked);
                let Some(mut exchange) = self.waiting.answer(&key, output) else { return };
                exchange.response = frame.span;
                exchange.partial |= frame.cut;
                table::method(&mut exchange, Half::Response, head.channel, method, arguments);
                if method.role == Role::Answers(asked) {
                    table::close(&mut exchange, Half::Response);
                    return output.emit(exchange);
                }
                self.begin(head, Half::Response, exchange, frame, output);
            }
            Role::Alone | Role::Carries | Role::Asks => self.request(head, method, arguments, frame, output),
        }
    }

    fn request(&mut self, head: Head, method: &Method, arguments: &[u8], frame: &Frame<'_>, output: &mut Output<'_>) {
        let mut exchange = output.pool.take();
        exchange.request = frame.span;
        exchange.partial = frame.cut;
        let no_wait = table::method(&mut exchange, Half::Request, head.channel, method, arguments);
        if method.role == Role::Carries {
            return self.begin(head, Half::Request, exchange, frame, output);
        }
        table::close(&mut exchange, Half::Request);
        if method.role == Role::Asks && !no_wait {
            let key = (head.channel, frame.side, method.class, method.number);
            return self.waiting.ask(key, exchange, output);
        }
        alone(exchange, output);
    }

    /// A close that names a method which waits is its answer as well.
    fn fail(&mut self, head: Head, method: &Method, arguments: &[u8], frame: &Frame<'_>, output: &mut Output<'_>) {
        let mut named = Reader::new(arguments.get(arguments.len().saturating_sub(4)..).unwrap_or_default());
        let Some((class, number)) = named.u16().zip(named.u16()) else { return };
        let Some(mut exchange) = self.waiting.take(&(head.channel, frame.side.other(), class, number)) else { return };
        exchange.response = frame.span;
        exchange.partial |= frame.cut;
        table::method(&mut exchange, Half::Response, head.channel, method, arguments);
        table::close(&mut exchange, Half::Response);
        output.emit(exchange);
    }

    fn begin(&mut self, head: Head, half: Half, exchange: Box<Exchange>, frame: &Frame<'_>, output: &mut Output<'_>) {
        if self.contents.len() >= CONTENTS_MAX {
            output.counts.overflows += 1;
            return output.pool.give(exchange);
        }
        let (side, channel) = (frame.side, head.channel);
        let (properties, head) = (Vec::new(), Vec::new());
        self.contents.push(Content {
            side,
            channel,
            half,
            exchange,
            size: None,
            left: 0,
            frame_bytes: 0,
            properties,
            head,
        });
    }

    fn content(&mut self, head: Head, payload: &[u8], frame: &Frame<'_>, output: &mut Output<'_>) {
        let ours = |content: &Content| content.side == frame.side && content.channel == head.channel;
        let Some(at) = self.contents.iter().position(ours) else { return };
        let content = &mut self.contents[at];
        let span = match content.half {
            Half::Request => &mut content.exchange.request,
            Half::Response => &mut content.exchange.response,
        };
        span.extend(frame.span);
        content.exchange.partial |= frame.cut;
        match (head.kind, content.size) {
            (HEADER, None) => {
                let size = payload.get(4..).and_then(|rest| Reader::new(rest).u64());
                (content.size, content.left) = (Some(size.unwrap_or(0)), size.unwrap_or(0));
                content.exchange.partial |= size.is_none();
                content.properties.extend_from_slice(payload.get(12..).unwrap_or_default());
            }
            (BODY, Some(_)) => {
                content.left = content.left.saturating_sub(head.size as u64);
                content.frame_bytes = head.size;
                let room = self.body_bytes.saturating_sub(content.head.len());
                content.head.extend_from_slice(&payload[..payload.len().min(room)]);
            }
            _ => {
                output.counts.garbage += 1;
                content.exchange.partial = true;
            }
        }
        if content.size.is_some() && content.left == 0 {
            let Content { half, mut exchange, size, properties, head, .. } = self.contents.swap_remove(at);
            table::content(&mut exchange, half, &properties, size.unwrap_or(0), &head);
            match half {
                Half::Request => alone(exchange, output),
                Half::Response => output.emit(exchange),
            }
        }
    }

    fn give_up(&mut self, output: &mut Output<'_>, of: impl Fn(&Content) -> bool) {
        for content in self.contents.extract_if(.., |content| of(content)) {
            output.counts.unpaired_requests += 1;
            output.pool.give(content.exchange);
        }
    }
}

/// Hands out what nothing answers.
fn alone(mut exchange: Box<Exchange>, output: &mut Output<'_>) {
    let end_ns = exchange.request.end_ns;
    exchange.response = Span { start_ns: end_ns, end_ns, bytes: 0 };
    output.emit(exchange);
}
