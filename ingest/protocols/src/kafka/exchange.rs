//! Requests and answers by correlation id.

use std::collections::VecDeque;

use super::frame::{ANSWER_HEADER_BYTES, Header, answer_body, correlation, length, unanswered};
use super::infer;
use super::table::{KEY, Topics, VERSION};
use crate::exchange::{Exchange, Span};
use crate::pairing::ById;
use crate::protocol::{
    Description, Frame, Inference, LIKELY, Measure, Output, Protocol, RESYNC_BYTES, Resync, RowTime, Setup, Side,
};

const WAITING_MAX: usize = 2048;
/// Bytes of a message that are read; records behind them are not counted.
const KEEP_BYTES: usize = 64 << 10;
/// Answers that wait for a request which is still on its way.
const EARLY_MAX: usize = 16;

/// Kafka on one connection.
#[derive(Debug)]
pub struct Kafka {
    /// Everything was seen so far: an answer without a request comes early.
    complete: bool,
    requests: ById<i32>,
    early: VecDeque<Early>,
    topics: Topics,
    /// The next answer may be none: its beginning was guessed.
    guessed: bool,
}

/// An answer that came before its request, which says how to read it.
#[derive(Debug)]
struct Early {
    correlation: i32,
    bytes: Vec<u8>,
    span: Span,
    cut: bool,
}

impl Protocol for Kafka {
    const DESCRIPTION: Description = Description {
        name: "Kafka",
        number: 10,
        table: "kafka_events.beta",
        time: RowTime::Request,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Kafka {
            complete: setup.from_start,
            requests: ById::new(WAITING_MAX),
            early: VecDeque::new(),
            topics: Topics::default(),
            guessed: false,
        }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure {
        let enough = if side == Side::Client { 14 } else { ANSWER_HEADER_BYTES };
        let Some(length) = length(bytes) else {
            return if bytes.len() < 4 { Measure::More } else { Measure::Invalid };
        };
        let total = length as usize + 4;
        if bytes.len() < enough.min(total) {
            return Measure::More;
        }
        let valid = match side {
            Side::Client => Header::read(bytes).is_some(),
            Side::Server => correlation(bytes).is_some_and(|id| id >= 0),
        };
        if valid { Measure::Frame { length: total as u64, keep: total.min(KEEP_BYTES) } } else { Measure::Invalid }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        match frame.side {
            Side::Client => self.ask(frame, output),
            Side::Server => self.answer(frame, output),
        }
    }

    fn missed(&mut self, _side: Side, output: &mut Output<'_>) {
        self.complete = false;
        output.counts.unpaired_responses += self.early.len() as u64;
        self.early.clear();
        self.requests.missed();
    }

    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        if side == Side::Server {
            return self.find_answer(bytes);
        }
        let found = infer::infer(bytes);
        match found.score {
            _ if found.side == Some(Side::Server) => Resync::No,
            LIKELY.. => Resync::At(0),
            1.. if bytes.len() < RESYNC_BYTES => Resync::Wait,
            _ => Resync::No,
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        output.counts.unpaired_responses += self.early.len() as u64;
        self.early.clear();
        self.requests.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.requests.is_empty()
    }
}

impl Kafka {
    /// An answer starts where one that is waited for fits, and so does what comes after it.
    fn find_answer(&mut self, bytes: &[u8]) -> Resync {
        let Some(id) = correlation(bytes) else { return Resync::Wait };
        let Some(length) = length(bytes).filter(|_| self.requests.find(&id).is_some()) else { return Resync::No };
        let after = bytes.get(length as usize + 4..);
        let fits = after.is_none_or(|after| after.len() < ANSWER_HEADER_BYTES || self::length(after).is_some());
        self.guessed = after.is_none_or(|after| !after.is_empty());
        if fits { Resync::At(0) } else { Resync::No }
    }

    fn ask(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let Some(header) = Header::read(frame.bytes) else {
            output.counts.garbage += 1;
            return;
        };
        let mut exchange = output.pool.take();
        exchange.request = frame.span;
        let known = self.topics.set_request(&mut exchange, &header);
        exchange.partial = frame.cut || !known;
        if unanswered(&header) {
            exchange.response = Span { start_ns: frame.span.end_ns, end_ns: frame.span.end_ns, bytes: 0 };
            return output.emit(exchange);
        }
        let early = self.early.iter().position(|early| early.correlation == header.correlation);
        match early.and_then(|at| self.early.remove(at)) {
            Some(early) => {
                output.counts.unpaired_responses = output.counts.unpaired_responses.saturating_sub(1);
                self.complete(exchange, &early.bytes, early.span, early.cut, output);
            }
            None => self.requests.ask(header.correlation, exchange, output),
        }
    }

    fn answer(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let guessed = std::mem::take(&mut self.guessed);
        let Some(id) = correlation(frame.bytes) else {
            output.counts.garbage += 1;
            return;
        };
        if let Some(exchange) = self.requests.answer(&id, output) {
            return self.complete(exchange, frame.bytes, frame.span, frame.cut || guessed, output);
        }
        if self.complete {
            if self.early.len() >= EARLY_MAX {
                self.early.pop_front();
            }
            let bytes = frame.bytes.to_vec();
            self.early.push_back(Early { correlation: id, bytes, span: frame.span, cut: frame.cut });
        }
    }

    fn complete(&mut self, mut exchange: Box<Exchange>, bytes: &[u8], span: Span, cut: bool, output: &mut Output<'_>) {
        let (key, version) = (exchange.int(KEY) as i16, exchange.int(VERSION) as i16);
        exchange.response = span;
        let known = self.topics.set_answer(&mut exchange, answer_body(bytes, key, version));
        exchange.partial |= cut || !known;
        output.emit(exchange);
    }
}
