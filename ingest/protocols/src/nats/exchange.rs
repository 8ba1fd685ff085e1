//! Commands, and requests with their replies.

use super::frame::{Command, Line, line};
use super::{infer, table};
use crate::pairing::ById;
use crate::protocol::{Description, Frame, Inference, LIKELY, Measure, Output, Protocol, Resync, RowTime, Setup, Side};

/// What headers begin with.
const HEADERS_START: &[u8] = b"NATS/1.0";
const WAITING_MAX: usize = 256;
const TIMEOUT_NS: i64 = 10_000_000_000;

/// What an answer is known by: the subject of a reply, or nothing for a PONG; and who waits for it.
type Key = (Side, Vec<u8>);

/// NATS on one connection.
#[derive(Debug)]
pub struct Nats {
    setup: Setup,
    waiting: ById<Key>,
}

impl Protocol for Nats {
    const DESCRIPTION: Description = Description {
        name: "NATS",
        number: 8,
        table: "nats_events.beta",
        time: RowTime::Request,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Nats { setup, waiting: ById::new(WAITING_MAX) }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, _side: Side, bytes: &[u8]) -> Measure {
        match line(bytes) {
            Line::Command(command) => {
                let wanted = command.headers().saturating_add(self.setup.body_bytes);
                Measure::Frame { length: command.bytes(), keep: command.line.saturating_add(wanted) }
            }
            Line::More => Measure::More,
            Line::Invalid => Measure::Invalid,
        }
    }

    /// A command that lost its first letters may be another one: `HMSG` turns into `MSG`, `UNSUB` into `SUB`.
    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        let inference = infer::infer(bytes);
        let Line::Command(command) = line(bytes) else {
            return if inference.score > 0 { Resync::Wait } else { Resync::No };
        };
        let payload = &bytes[command.line..];
        let shown = payload.len().min(HEADERS_START.len());
        let has_headers = !command.name.starts_with('H') && payload[..shown] == HEADERS_START[..shown];
        match command.name {
            "SUB" => Resync::No,
            "PUB" | "MSG" if has_headers => Resync::No,
            _ if inference.score < LIKELY || inference.side.is_some_and(|found| found != side) => Resync::No,
            _ => Resync::At(0),
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let Line::Command(command) = line(frame.bytes) else { return };
        let payload = &frame.bytes[command.line..];
        let seen = usize::try_from(command.bytes() - command.line as u64).unwrap_or(usize::MAX).saturating_sub(2);
        let payload = &payload[..payload.len().min(seen)];
        let other = frame.side.other();
        match command.name {
            "+OK" => return,
            "PONG" => return self.answer(&(other, Vec::new()), &command, b"PONG", frame, output),
            _ => {}
        }
        let mut exchange = output.pool.take();
        exchange.request = frame.span;
        (exchange.response.start_ns, exchange.response.end_ns) = (frame.span.end_ns, frame.span.end_ns);
        exchange.partial = frame.cut;
        table::set(&mut exchange, &command, payload);
        match (command.name, command.subjects()) {
            ("-ERR", _) => exchange.response = frame.span,
            ("PING", _) => return self.waiting.ask((frame.side, Vec::new()), exchange, output),
            ("PUB" | "HPUB", (_, Some(reply))) => {
                return self.waiting.ask((frame.side, reply.to_vec()), exchange, output);
            }
            ("MSG" | "HMSG", (subject, _)) => self.answer(&(other, subject.to_vec()), &command, payload, frame, output),
            _ => {}
        }
        output.emit(exchange);
    }

    fn missed(&mut self, _side: Side, _output: &mut Output<'_>) {
        self.waiting.missed();
    }

    fn expire(&mut self, now_ns: i64, output: &mut Output<'_>) {
        while let Some((_, exchange)) = self.waiting.take_older(now_ns.saturating_sub(TIMEOUT_NS)) {
            unanswered(exchange, output);
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        while let Some((_, exchange)) = self.waiting.take_older(i64::MAX) {
            unanswered(exchange, output);
        }
        self.waiting.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Nats {
    fn answer(&mut self, key: &Key, command: &Command<'_>, text: &[u8], frame: &Frame<'_>, output: &mut Output<'_>) {
        let Some(mut exchange) = self.waiting.take(key) else { return };
        exchange.response = frame.span;
        exchange.partial |= frame.cut;
        exchange.set_text(2, &text[command.headers().min(text.len())..]);
        output.emit(exchange);
    }
}

/// A message that asked for a reply and got none that was seen.
fn unanswered(mut exchange: Box<crate::exchange::Exchange>, output: &mut Output<'_>) {
    exchange.note = "no reply";
    exchange.failed = true;
    output.emit(exchange);
}
