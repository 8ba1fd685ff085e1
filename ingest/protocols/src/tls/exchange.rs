//! A client's hello and what the server answers in clear.

use super::frame::{
    ALERT, APPLICATION_DATA, CERTIFICATE, CHANGE_CIPHER_SPEC, CLIENT_HELLO, HANDSHAKE, HEADER_BYTES, Hello,
    SERVER_HELLO, SERVER_HELLO_DONE, messages, record,
};
use super::{infer, table};
use crate::exchange::Exchange;
use crate::protocol::{Description, Frame, Inference, Measure, Output, Protocol, RowTime, Setup, Side};

/// A flight of the server in clear.
const FLIGHT_BYTES_MAX: usize = 32 << 10;

/// TLS on one connection.
#[derive(Debug, Default)]
pub struct Tls {
    hello: Option<Box<Exchange>>,
    /// Handshake messages of the server so far, without records.
    flight: Vec<u8>,
    is_over: bool,
    greeted: bool,
}

impl Protocol for Tls {
    const DESCRIPTION: Description = Description {
        name: "TLS",
        number: 13,
        table: "tls_events",
        time: RowTime::Response,
        datagrams: false,
        streams: true,
        whole: false,
    };

    fn new(_setup: Setup) -> Self {
        Tls::default()
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, _side: Side, bytes: &[u8]) -> Measure {
        if bytes.len() < HEADER_BYTES {
            return Measure::More;
        }
        let Some((kind, length)) = record(bytes) else { return Measure::Invalid };
        let length = HEADER_BYTES + length;
        let keep = if kind == APPLICATION_DATA { HEADER_BYTES } else { length };
        Measure::Frame { length: length as u64, keep }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let Some((kind, _)) = record(frame.bytes) else { return };
        let content = &frame.bytes[HEADER_BYTES.min(frame.bytes.len())..];
        match (kind, frame.side) {
            _ if self.is_over => {}
            (HANDSHAKE, Side::Client) => {
                if let Some((CLIENT_HELLO, message, whole)) = messages(content).next() {
                    self.client_hello(message, whole, frame, output);
                }
            }
            (HANDSHAKE, Side::Server) => {
                let Some(exchange) = &mut self.hello else { return };
                exchange.response.extend(frame.span);
                exchange.partial |= frame.cut;
                let room = FLIGHT_BYTES_MAX - self.flight.len();
                self.flight.extend_from_slice(&content[..content.len().min(room)]);
                if messages(&self.flight).any(|(kind, ..)| kind == SERVER_HELLO_DONE) {
                    self.complete(output);
                }
            }
            (ALERT, Side::Server) => {
                let Some(exchange) = &mut self.hello else { return };
                if let [_, code] = content
                    && self.flight.is_empty()
                {
                    exchange.response.extend(frame.span);
                    table::set_alert(exchange, *code);
                }
                self.complete(output);
            }
            (CHANGE_CIPHER_SPEC | APPLICATION_DATA, Side::Server) => self.complete(output),
            (APPLICATION_DATA, Side::Client) if self.hello.is_none() => self.is_over = true,
            _ => {}
        }
    }

    fn missed(&mut self, _side: Side, _output: &mut Output<'_>) {
        if let Some(exchange) = &mut self.hello {
            exchange.partial = true;
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        if let Some(exchange) = self.hello.take() {
            output.counts.unanswered_requests += 1;
            output.pool.give(exchange);
        }
    }

    fn at_rest(&self) -> bool {
        true
    }

    fn tells_who_asks(&self) -> bool {
        self.greeted
    }

    fn opaque(&self) -> bool {
        self.is_over
    }
}

impl Tls {
    fn client_hello(&mut self, message: &[u8], whole: bool, frame: &Frame<'_>, output: &mut Output<'_>) {
        let Some(hello) = Hello::read(message, true) else { return };
        self.greeted = true;
        // A hello after a HelloRetryRequest belongs to the same handshake.
        let mut exchange = self.hello.take().unwrap_or_else(|| output.pool.take());
        exchange.request.extend(frame.span);
        exchange.partial |= frame.cut || !whole;
        table::set_client(&mut exchange, &hello);
        self.hello = Some(exchange);
    }

    /// The server has said all that it says in clear.
    fn complete(&mut self, output: &mut Output<'_>) {
        self.is_over = true;
        let flight = std::mem::take(&mut self.flight);
        let Some(mut exchange) = self.hello.take() else { return };
        if exchange.response.bytes == 0 {
            output.counts.unpaired_requests += 1;
            return output.pool.give(exchange);
        }
        let certificate = messages(&flight).find(|(kind, ..)| *kind == CERTIFICATE).map(|(_, message, _)| message);
        let hello = messages(&flight).find(|(kind, ..)| *kind == SERVER_HELLO);
        if let Some(hello) = hello.and_then(|(_, message, _)| Hello::read(message, false)) {
            table::set_server(&mut exchange, &hello, certificate);
        } else if !exchange.failed {
            exchange.partial = true;
        }
        output.emit(exchange);
    }
}
