//! Which message answers which: a queue of what was asked, walked through by what the server says.

use std::collections::VecDeque;

use super::frame::{CANCEL, GSS, SSL, measure, text};
use super::statement::{Bound, Statements};
use super::{infer, table};
use crate::exchange::Exchange;
use crate::protocol::{
    Description, Frame, Inference, LIKELY, Measure, Output, Protocol, RESYNC_BYTES, Resync, RowTime, Setup, Side,
};
use crate::reader::Reader;
use crate::settling::Settling;

const WAITING_MAX: usize = 4096;
/// Statements are kept so far.
const STATEMENT_BYTES: usize = 4096;
/// Column behind those of the table: what was asked.
const ASKED: usize = 3;
/// Whether data of a COPY is on its way to the server.
const COPYING: usize = 4;

const STARTUP: i64 = 1;
const ENCRYPTION: i64 = 2;
const QUERY: i64 = 3;
const CALL: i64 = 4;
const PARSE: i64 = 5;
const BIND: i64 = 6;
const DESCRIBE: i64 = 7;
const EXECUTE: i64 = 8;
const CLOSE: i64 = 9;
const SYNC: i64 = 10;

/// PostgreSQL on one connection.
#[derive(Debug)]
pub struct Pgsql {
    keep: usize,
    limit: usize,
    waiting: VecDeque<Box<Exchange>>,
    statements: Statements,
    settling: Settling,
    /// Of the messages up to the next point of synchronisation: whether they are paired.
    unit: Option<bool>,
    /// The server passes over everything up to the next Sync.
    skipping: bool,
    opaque: bool,
}

impl Protocol for Pgsql {
    const DESCRIPTION: Description = Description {
        name: "PostgreSQL",
        number: 5,
        table: "pgsql_events",
        time: RowTime::Response,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Pgsql {
            keep: setup.body_bytes.max(STATEMENT_BYTES),
            limit: setup.body_bytes,
            waiting: VecDeque::new(),
            statements: Statements::default(),
            settling: Settling::new(setup.from_start),
            unit: None,
            skipping: false,
            opaque: false,
        }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure {
        if self.opaque {
            return Measure::Frame { length: bytes.len() as u64, keep: 0 };
        }
        let encryption = self.waiting.front().is_some_and(|front| front.int(ASKED) == ENCRYPTION);
        if side == Side::Server && encryption && bytes[0] != b'E' {
            return Measure::Frame { length: 1, keep: 1 };
        }
        measure(side, bytes, self.keep)
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        match frame.side {
            _ if self.opaque => {}
            Side::Client => self.ask(frame, output),
            Side::Server => self.answer(frame, output),
        }
    }

    fn missed(&mut self, side: Side, output: &mut Output<'_>) {
        if side == Side::Client {
            self.statements.missed();
        }
        self.lose(output);
    }

    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        match infer::chain(side, bytes) {
            _ if self.opaque => Resync::No,
            LIKELY.. => Resync::At(0),
            1.. if bytes.len() < RESYNC_BYTES => Resync::Wait,
            _ => Resync::No,
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        output.counts.unanswered_requests += self.waiting.len() as u64;
        self.waiting.drain(..).for_each(|exchange| output.pool.give(exchange));
    }

    fn at_rest(&self) -> bool {
        self.waiting.is_empty()
    }

    fn opaque(&self) -> bool {
        self.opaque
    }
}

impl Pgsql {
    /// No pair is known any more, until a point of synchronisation.
    fn lose(&mut self, output: &mut Output<'_>) {
        output.counts.unpaired_requests += self.waiting.len() as u64;
        self.waiting.drain(..).for_each(|exchange| output.pool.give(exchange));
        self.settling.missed();
        (self.unit, self.skipping) = (None, false);
    }

    fn ask(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        if frame.bytes.first() == Some(&0) {
            return self.open(frame, output);
        }
        let [kind, _, _, _, _, body @ ..] = frame.bytes else { return };
        let mut reader = Reader::new(body);
        let (asked, command, bound) = match kind {
            b'Q' => (QUERY, "QUERY", Bound { sql: text(&mut reader).to_vec(), doubtful: false }),
            b'F' => (CALL, "FUNCTION CALL", Bound::default()),
            b'P' => (PARSE, "PARSE", Bound { sql: self.statements.parse(body, frame.cut).to_vec(), doubtful: false }),
            b'B' => (BIND, "BIND", self.statements.bind(body, frame.cut)),
            b'D' => (DESCRIBE, "DESCRIBE", self.described(body)),
            b'E' => (EXECUTE, "EXECUTE", self.statements.portal(text(&mut reader))),
            b'C' => (CLOSE, "CLOSE", Bound::default()),
            b'S' => (SYNC, "SYNC", Bound::default()),
            b'd' | b'c' | b'f' => return self.copied(frame),
            _ => return,
        };
        let start_ns = frame.span.start_ns;
        let settling = &mut self.settling;
        let paired = *self.unit.get_or_insert_with(|| settling.admits(start_ns));
        if matches!(asked, QUERY | CALL | SYNC) {
            self.unit = None;
        }
        let passed_over = self.skipping && asked != SYNC;
        if !paired || passed_over {
            output.counts.unpaired_requests += u64::from(asked != SYNC);
            return;
        }
        self.skipping = false;
        let mut exchange = output.pool.take();
        exchange.set_int(ASKED, asked);
        exchange.set_text(table::COMMAND, command.as_bytes());
        exchange.set_text(table::REQUEST, &bound.sql);
        exchange.partial = frame.cut || bound.doubtful;
        self.wait(exchange, frame, output);
    }

    fn wait(&mut self, mut exchange: Box<Exchange>, frame: &Frame<'_>, output: &mut Output<'_>) {
        if self.waiting.len() >= WAITING_MAX {
            output.counts.overflows += 1;
            self.lose(output);
            return output.pool.give(exchange);
        }
        exchange.request = frame.span;
        self.waiting.push_back(exchange);
    }

    fn described(&self, body: &[u8]) -> Bound {
        let mut reader = Reader::new(body);
        match reader.u8() {
            Some(b'S') => self.statements.statement(text(&mut reader)),
            _ => self.statements.portal(text(&mut reader)),
        }
    }

    /// A session, a wish for encryption, or one to cancel.
    fn open(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let mut reader = Reader::new(frame.bytes);
        let (Some(_), Some(code)) = (reader.u32(), reader.u32()) else { return };
        // Nothing is outstanding where a session begins.
        self.lose(output);
        self.settling = Settling::new(true);
        let mut exchange = output.pool.take();
        exchange.partial = frame.cut;
        let (asked, command): (_, &[u8]) = match code {
            CANCEL => (0, b"CANCEL"),
            SSL => (ENCRYPTION, b"SSL REQUEST"),
            GSS => (ENCRYPTION, b"GSS REQUEST"),
            _ => (STARTUP, b"STARTUP"),
        };
        exchange.set_int(ASKED, asked);
        exchange.set_text(table::COMMAND, command);
        match asked {
            STARTUP => table::set_startup(&mut exchange, reader.rest()),
            0 => {
                exchange.request = frame.span;
                exchange.response.start_ns = frame.span.end_ns;
                exchange.response.end_ns = frame.span.end_ns;
                return output.emit(exchange);
            }
            _ => {}
        }
        self.wait(exchange, frame, output);
    }

    /// Data of a COPY belongs to its query.
    fn copied(&mut self, frame: &Frame<'_>) {
        let Some(front) = self.waiting.front_mut() else { return };
        if matches!(front.int(ASKED), QUERY | EXECUTE) {
            front.request.extend(frame.span);
            if matches!(frame.bytes.first(), Some(b'c' | b'f')) {
                front.set_int(COPYING, 0);
            }
        }
    }

    fn answer(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let (kind, body) = match frame.bytes {
            [kind, _, _, _, _, body @ ..] => (*kind, body),
            [kind, ..] => (*kind, &[][..]),
            [] => return,
        };
        match kind {
            b'N' | b'S' if frame.bytes.len() > 1 => return,
            b'A' => return notification(frame, body, output),
            b'W' => self.opaque = true,
            _ => {}
        }
        if kind == b'Z' {
            self.settling.answered(frame.span.end_ns);
        }
        let limit = self.limit;
        let Some(front) = self.waiting.front_mut() else {
            if kind == b'Z' {
                output.counts.unpaired_responses += 1;
                self.settling.unsettle();
                self.unit = None;
            }
            return;
        };
        front.partial |= frame.cut;
        front.response.extend(frame.span);
        let asked = front.int(ASKED);
        match kind {
            b'E' => table::set_error(front, body, limit),
            b'G' => front.set_int(COPYING, 1),
            b'Z' => front.partial |= front.int(COPYING) == 1,
            b'C' => table::add_text(front, body.strip_suffix(&[0]).unwrap_or(body), limit),
            b'T' if asked != DESCRIBE => table::add_names(front, body, limit),
            b'D' => table::add_row(front, body, limit),
            b's' => table::add_text(front, b"PORTAL SUSPENDED", limit),
            _ if asked == ENCRYPTION => table::add_text(front, &[kind], limit),
            _ => {}
        }
        let done = match (asked, kind) {
            (ENCRYPTION, b'S' | b'G') => {
                self.opaque = true;
                true
            }
            (ENCRYPTION, _) | (STARTUP, b'E') => true,
            (STARTUP | QUERY | CALL | SYNC, b'Z') => true,
            (PARSE, b'1') | (BIND, b'2') | (CLOSE, b'3') | (DESCRIBE, b'T' | b'n') => true,
            (EXECUTE, b'C' | b'I' | b's') => true,
            (PARSE..=CLOSE, b'E') => return self.failed(output),
            (STARTUP, b'R' | b'K' | b'v')
            | (QUERY, b'T' | b'D' | b'C' | b'I' | b'E' | b'G' | b'H' | b'd' | b'c' | b'W')
            | (EXECUTE, b'D' | b'G' | b'H' | b'd' | b'c')
            | (CALL, b'V' | b'E')
            | (SYNC, b'E')
            | (DESCRIBE, b't') => false,
            _ => {
                output.counts.unpaired_responses += 1;
                return self.lose(output);
            }
        };
        if done && let Some(exchange) = self.waiting.pop_front() {
            self.hand_out(exchange, output);
        }
    }

    /// Everything up to the next Sync goes without answers.
    fn failed(&mut self, output: &mut Output<'_>) {
        if let Some(exchange) = self.waiting.pop_front() {
            output.emit(exchange);
        }
        while let Some(front) = self.waiting.front() {
            if front.int(ASKED) == SYNC {
                return;
            }
            output.counts.unanswered_requests += 1;
            self.waiting.pop_front().into_iter().for_each(|exchange| output.pool.give(exchange));
        }
        self.skipping = true;
    }

    /// Binding, describing, closing and syncing are only parts of something else, unless they fail.
    fn hand_out(&mut self, exchange: Box<Exchange>, output: &mut Output<'_>) {
        match exchange.int(ASKED) {
            BIND | DESCRIBE | CLOSE | SYNC if !exchange.failed => output.pool.give(exchange),
            _ => output.emit(exchange),
        }
    }
}

/// A row of what another session notified.
fn notification(frame: &Frame<'_>, body: &[u8], output: &mut Output<'_>) {
    let mut reader = Reader::new(body);
    reader.u32();
    let (channel, payload) = (text(&mut reader), text(&mut reader));
    let mut exchange = output.pool.take();
    exchange.set_text(table::COMMAND, b"NOTIFICATION");
    exchange.set_text(table::RESPONSE, &[channel, b" ", payload].concat());
    exchange.response = frame.span;
    (exchange.request.start_ns, exchange.request.end_ns) = (frame.span.end_ns, frame.span.end_ns);
    exchange.partial = frame.cut;
    exchange.note = "pushed";
    output.emit(exchange);
}
