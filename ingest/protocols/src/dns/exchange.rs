//! Queries and their answers by transaction id and question.

use super::frame::{HEADER_BYTES, Header, end_of_name};
use super::{infer, table};
use crate::exchange::Exchange;
use crate::pairing::ById;
use crate::protocol::{Description, Frame, Inference, Measure, Output, Protocol, RowTime, Setup, Side};

const WAITING_MAX: usize = 1024;
/// A query is given up after so long.
const TIMEOUT_NS: i64 = 10_000_000_000;
const MULTICAST_NOTE: &str = "mdns";

/// Which query an answer belongs to: the id alone is used again too soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    id: u16,
    question: u64,
}

/// DNS on one socket or connection.
#[derive(Debug)]
pub struct Dns {
    setup: Setup,
    queries: ById<Key>,
}

impl Protocol for Dns {
    const DESCRIPTION: Description = Description {
        name: "DNS",
        number: 6,
        table: "dns_events",
        time: RowTime::Response,
        datagrams: true,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Dns { setup, queries: ById::new(WAITING_MAX) }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::stream(bytes)
    }

    fn infer_datagram(bytes: &[u8]) -> Inference {
        infer::message(bytes)
    }

    fn measure(&mut self, _side: Side, bytes: &[u8]) -> Measure {
        let Some(length) = bytes.first_chunk::<2>() else { return Measure::More };
        let length = u64::from(u16::from_be_bytes(*length)) + 2;
        if length < HEADER_BYTES as u64 + 2 {
            return Measure::Invalid;
        }
        Measure::Frame { length, keep: length as usize }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let message = if self.setup.datagrams { frame.bytes } else { frame.bytes.get(2..).unwrap_or_default() };
        let Some(header) = Header::read(message) else {
            output.counts.garbage += 1;
            return;
        };
        let side = if header.is_response() { Side::Server } else { Side::Client };
        // Resolvers ask and answer over one socket.
        let multicast = self.setup.datagrams && header.id == 0 && header.bit(8) == 0;
        let key = Key { id: header.id, question: question(header, message) };
        match side {
            _ if multicast => {
                let mut exchange = output.pool.take();
                exchange.request = frame.span;
                exchange.response = frame.span;
                match side {
                    Side::Client => exchange.response.bytes = 0,
                    Side::Server => exchange.request.bytes = 0,
                }
                exchange.note = MULTICAST_NOTE;
                exchange.partial = frame.cut;
                table::set(&mut exchange, side, header, message);
                output.emit(exchange);
            }
            Side::Client => {
                if let Some(mut same) = self.queries.take(&key) {
                    same.response.start_ns = frame.span.end_ns;
                    same.response.end_ns = frame.span.end_ns;
                    table::set_unanswered(&mut same, "asked again");
                    output.emit(same);
                }
                let mut exchange = output.pool.take();
                exchange.request = frame.span;
                exchange.partial = frame.cut;
                table::set(&mut exchange, side, header, message);
                self.queries.ask(key, exchange, output);
            }
            Side::Server => {
                let found = self.queries.answer(&key, output);
                let early = found.is_none() && self.setup.from_start;
                if found.is_none() && !early {
                    return;
                }
                let mut exchange = found.unwrap_or_else(|| output.pool.take());
                exchange.response = frame.span;
                exchange.partial |= frame.cut;
                exchange.failed = header.rcode() != 0;
                table::set(&mut exchange, side, header, message);
                if early {
                    self.queries.answer_early(key, exchange, output);
                } else {
                    output.emit(exchange);
                }
            }
        }
    }

    fn missed(&mut self, side: Side, _output: &mut Output<'_>) {
        if side == Side::Server {
            self.queries.missed();
        }
    }

    fn expire(&mut self, now_ns: i64, output: &mut Output<'_>) {
        while let Some((_, mut exchange)) = self.queries.take_older(now_ns.saturating_sub(TIMEOUT_NS)) {
            exchange.response.start_ns = now_ns;
            exchange.response.end_ns = now_ns;
            self.unanswered(exchange, "no answer in time", output);
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        while let Some((_, mut exchange)) = self.queries.take_older(i64::MAX) {
            exchange.response.start_ns = exchange.request.end_ns;
            exchange.response.end_ns = exchange.request.end_ns;
            self.unanswered(exchange, "closed before an answer", output);
        }
        self.queries.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.queries.is_empty()
    }
}

impl Dns {
    /// A query to which no answer was seen; in a stream of which a part was missed it may have had one.
    fn unanswered(&self, mut exchange: Box<Exchange>, why: &'static str, output: &mut Output<'_>) {
        if exchange.partial && !self.setup.datagrams {
            output.counts.unpaired_requests += 1;
            return output.pool.give(exchange);
        }
        table::set_unanswered(&mut exchange, why);
        output.emit(exchange);
    }
}

/// A number for the first question; names are compared without regard to case.
fn question(header: Header, message: &[u8]) -> u64 {
    if header.counts[0] == 0 {
        return 0;
    }
    let end = end_of_name(message, HEADER_BYTES).map_or(message.len(), |end| (end + 4).min(message.len()));
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    message[HEADER_BYTES.min(end)..end].iter().fold(0xcbf2_9ce4_8422_2325, fold)
}
