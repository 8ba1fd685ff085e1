//! Commands and their answers, held together by sequence numbers.

use std::collections::VecDeque;

use super::compression::{self, FRAME_HEADER_BYTES, Method, Packets, unpack};
use super::frame::{self, HEADER_BYTES, LENGTH_MAX, header};
use super::infer;
use super::response::{Expect, Step, step};
use super::statement::Statements;
use crate::exchange::{Exchange, Span};
use crate::json;
use crate::protocol::{
    Description, Frame, Inference, Measure, Output, Protocol, RESYNC_BYTES, Resync, RowTime, Setup, Side,
};

const WAITING_MAX: usize = 64;
const STATEMENT_BYTES: usize = 4096;
const ANSWER_BYTES: usize = 1024;

const COMMAND: usize = 0;
const BODY: usize = 1;
const STATUS: usize = 2;
const ANSWER: usize = 3;
/// Columns behind those of the table: rows of the result set in progress, and the number of the answer's first packet.
const ROWS: usize = 4;
const FIRST: usize = 5;

const NONE: i64 = 1;
const OK: i64 = 2;
const ERROR: i64 = 3;

const CLIENT_COMPRESS: u32 = 0x20;
const CLIENT_SSL: u32 = 0x800;
const CLIENT_DEPRECATE_EOF: u32 = 0x0100_0000;
const CLIENT_ZSTD: u32 = 0x0400_0000;

/// MySQL on one connection.
#[derive(Debug)]
pub struct Mysql {
    limit: usize,
    waiting: VecDeque<Box<Exchange>>,
    statements: Statements,
    expect: Expect,
    /// Whether descriptions of columns end with a packet of their own.
    closed: Option<bool>,
    /// Numbers that the next packets of a client's command and of the answer must have.
    next: [u8; 2],
    /// By side: the payload goes on in the next packet.
    continues: [bool; 2],
    /// What the login asks for.
    wanted: Option<Method>,
    method: Option<Method>,
    packets: [Packets; 2],
    opaque: bool,
    /// Requests that were given up and are not counted yet.
    given_up: u64,
    /// Since commands may have been missed one was answered, so that they are commands indeed.
    confirmed: bool,
}

impl Protocol for Mysql {
    const DESCRIPTION: Description = Description {
        name: "MySQL",
        number: 3,
        table: "mysql_events",
        time: RowTime::Response,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Mysql {
            limit: setup.body_bytes.max(STATEMENT_BYTES),
            waiting: VecDeque::new(),
            statements: Statements::default(),
            expect: Expect::First,
            closed: None,
            next: [0; 2],
            continues: [false; 2],
            wanted: None,
            method: None,
            packets: [Packets::default(), Packets::default()],
            opaque: false,
            given_up: 0,
            confirmed: setup.from_start,
        }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure {
        if self.opaque {
            return Measure::Frame { length: bytes.len() as u64, keep: 0 };
        }
        let Some((length, _)) = header(bytes) else { return Measure::More };
        if self.method.is_some() {
            let length = length + FRAME_HEADER_BYTES;
            return Measure::Frame { length: length as u64, keep: length };
        }
        if side == Side::Client && bytes[3] == 0 && !self.continues[side as usize] {
            match bytes.get(HEADER_BYTES..) {
                Some([]) if length > 0 => return Measure::More,
                Some(payload) if length > 0 && frame::is_command(payload) => {}
                _ => return Measure::Invalid,
            }
        }
        Measure::Frame { length: (HEADER_BYTES + length) as u64, keep: HEADER_BYTES + length.min(self.keep(side)) }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        output.counts.unpaired_requests += std::mem::take(&mut self.given_up);
        match self.method {
            _ if self.opaque => {}
            Some(method) => self.unpack(method, frame, output),
            None => self.packet(frame.side, frame.bytes, frame.span, frame.cut, output),
        }
    }

    fn missed(&mut self, side: Side, output: &mut Output<'_>) {
        self.packets[side as usize].reset();
        self.continues[side as usize] = false;
        if side == Side::Client {
            self.statements.missed();
            self.confirmed = false;
        }
        self.lose(output);
    }

    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        if self.method.is_none() && !self.opaque {
            self.method = compression::recognise(bytes);
            if self.method.is_some() {
                // What seemed to be in clear was not.
                self.given_up += self.waiting.len() as u64;
                self.waiting.clear();
            }
        }
        let score = match side {
            _ if self.opaque => 0,
            Side::Client | Side::Server if self.method.is_some() => u8::from(self.starts_frame(side, bytes)) * 50,
            Side::Client => infer::client(bytes),
            Side::Server => infer::server(bytes),
        };
        match score {
            40.. => Resync::At(0),
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

impl Mysql {
    fn keep(&self, side: Side) -> usize {
        if side == Side::Client { self.limit } else { ANSWER_BYTES }
    }

    fn lose(&mut self, output: &mut Output<'_>) {
        output.counts.unpaired_requests += self.waiting.len() as u64;
        self.waiting.drain(..).for_each(|exchange| output.pool.give(exchange));
        self.expect = Expect::First;
    }

    /// Whether a compressed frame starts here: it holds packets of its own, from a first one on.
    fn starts_frame(&self, side: Side, bytes: &[u8]) -> bool {
        let Some((length, sequence)) = header(bytes) else { return false };
        let first = u8::from(side == Side::Server);
        sequence == first && length + FRAME_HEADER_BYTES == bytes.len()
    }

    fn unpack(&mut self, method: Method, frame: &Frame<'_>, output: &mut Output<'_>) {
        let (content, length) = unpack(method, frame.bytes);
        let side = frame.side;
        if content.len() < length {
            self.packets[side as usize].reset();
            return self.missed(side, output);
        }
        let mut packets = std::mem::take(&mut self.packets[side as usize]);
        let mut span = frame.span;
        let keep = self.keep(side);
        packets.take(&content, keep, |packet| {
            self.packet(side, packet, span, frame.cut, output);
            // The bytes of a frame are those of its first packet.
            (span.bytes, span.start_ns) = (0, span.end_ns);
        });
        if span.bytes > 0 && !packets.is_empty() {
            self.add_bytes(side, span);
        }
        self.packets[side as usize] = packets;
    }

    fn add_bytes(&mut self, side: Side, span: Span) {
        match (side, self.waiting.front_mut()) {
            (Side::Server, Some(front)) => front.response.extend(span),
            (Side::Client | Side::Server, _) => {}
        }
    }

    fn packet(&mut self, side: Side, bytes: &[u8], span: Span, cut: bool, output: &mut Output<'_>) {
        let Some((length, sequence)) = header(bytes) else { return };
        let payload = &bytes[HEADER_BYTES..];
        let continued = std::mem::replace(&mut self.continues[side as usize], length == LENGTH_MAX);
        match side {
            Side::Client if continued => self.more_of_command(sequence, span),
            Side::Client if sequence == 0 => self.command(payload, span, cut, output),
            Side::Client => self.reply(payload, sequence, span, cut, output),
            Side::Server => self.answer(payload, length, sequence, continued, span, cut, output),
        }
    }

    fn more_of_command(&mut self, sequence: u8, span: Span) {
        if let Some(back) = self.waiting.back_mut() {
            back.request.extend(span);
            back.set_int(FIRST, i64::from(sequence.wrapping_add(1)));
            self.next[Side::Server as usize] = sequence.wrapping_add(1);
        }
    }

    fn command(&mut self, payload: &[u8], span: Span, cut: bool, output: &mut Output<'_>) {
        let Some((&command, body)) = payload.split_first() else { return };
        let ahead = self.waiting.back().is_some_and(|back| back.int(COMMAND) != i64::from(frame::STMT_PREPARE));
        if ahead {
            // Commands wait for answers, so that this one's was missed.
            self.lose(output);
        }
        let mut exchange = output.pool.take();
        exchange.request = span;
        exchange.partial = cut;
        exchange.set_int(COMMAND, command.into());
        exchange.set_int(FIRST, 1);
        match command {
            frame::STMT_EXECUTE | frame::STMT_BULK_EXECUTE => {
                let mut known = true;
                let (statements, single) = (&mut self.statements, command == frame::STMT_EXECUTE);
                exchange.write_text(BODY, |out| known = statements.execute(body, out) && single);
                exchange.partial |= !known;
            }
            frame::QUERY | frame::STMT_PREPARE => {
                exchange.set_text(BODY, body.strip_prefix(&[0, 1]).unwrap_or(body));
            }
            frame::INIT_DB | 5 | 6 => exchange.set_text(BODY, body),
            frame::CHANGE_USER => {
                self.statements.clear();
                exchange.set_text(BODY, body.split(|byte| *byte == 0).next().unwrap_or_default());
            }
            frame::STMT_SEND_LONG_DATA => self.statements.long_data(body),
            frame::STMT_RESET => self.statements.reset(body),
            frame::STMT_CLOSE => self.statements.close(body),
            31 => self.statements.clear(),
            _ => {}
        }
        if matches!(command, frame::QUIT | frame::STMT_CLOSE | frame::STMT_SEND_LONG_DATA) {
            if !self.confirmed {
                output.counts.unpaired_requests += 1;
                return output.pool.give(exchange);
            }
            exchange.set_int(STATUS, NONE);
            (exchange.response.start_ns, exchange.response.end_ns) = (span.end_ns, span.end_ns);
            return output.emit(exchange);
        }
        if self.waiting.len() >= WAITING_MAX {
            output.counts.overflows += 1;
            self.lose(output);
        }
        if self.waiting.is_empty() {
            self.begin(1);
        }
        self.waiting.push_back(exchange);
    }

    fn begin(&mut self, first: u8) {
        self.expect = Expect::First;
        self.next[Side::Server as usize] = first;
    }

    /// What a client sends within an exchange: its login, or a file.
    fn reply(&mut self, payload: &[u8], sequence: u8, span: Span, cut: bool, output: &mut Output<'_>) {
        let Some(front) = self.waiting.front_mut() else {
            if infer::is_login(payload) {
                self.login(payload, span, cut, output);
                self.next[Side::Server as usize] = sequence.wrapping_add(1);
            }
            return;
        };
        let conversing = matches!(front.int(COMMAND), 0x0b | 0x11);
        let file = self.expect == Expect::File;
        if sequence != self.next[Side::Server as usize] || !file && !conversing {
            output.counts.garbage += 1;
            return self.lose(output);
        }
        front.request.extend(span);
        self.next[Side::Server as usize] = sequence.wrapping_add(1);
        if file && payload.is_empty() {
            self.expect = Expect::First;
        }
    }

    fn login(&mut self, payload: &[u8], span: Span, cut: bool, output: &mut Output<'_>) {
        let flags = payload.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if flags & CLIENT_SSL != 0 && payload.len() == 32 {
            self.opaque = true;
            return;
        }
        self.closed = Some(flags & CLIENT_DEPRECATE_EOF == 0);
        self.wanted = match flags {
            _ if flags & CLIENT_COMPRESS != 0 => Some(Method::Zlib),
            _ if flags & CLIENT_ZSTD != 0 => Some(Method::Zstd),
            _ => None,
        };
        let mut exchange = output.pool.take();
        exchange.request = span;
        exchange.partial = cut;
        exchange.set_int(COMMAND, frame::CONNECT.into());
        exchange
            .set_text(BODY, payload.get(32..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default());
        self.begin(2);
        self.waiting.push_back(exchange);
    }

    #[expect(clippy::too_many_arguments, reason = "a packet has that many properties, all of them plain")]
    fn answer(
        &mut self,
        payload: &[u8],
        length: usize,
        sequence: u8,
        continued: bool,
        span: Span,
        cut: bool,
        output: &mut Output<'_>,
    ) {
        let Some(front) = self.waiting.front_mut() else {
            // The greeting comes unasked.
            output.counts.unpaired_responses += u64::from(sequence == 1);
            return;
        };
        let expected = &mut self.next[Side::Server as usize];
        if sequence != *expected || self.expect == Expect::File {
            output.counts.unpaired_responses += 1;
            return self.lose(output);
        }
        *expected = sequence.wrapping_add(1);
        front.response.extend(span);
        front.partial |= cut;
        if continued {
            return;
        }
        let command = front.int(COMMAND) as u8;
        match step(&mut self.expect, &mut self.closed, command, payload, length) {
            Step::Part => {}
            Step::Row => front.set_int(ROWS, front.int(ROWS) + 1),
            Step::Prepared(id, more) => {
                self.statements.prepared(id, front.text(BODY), front.partial);
                front.partial |= self.closed.is_none();
                if !more {
                    self.complete(OK, output);
                }
            }
            Step::Rows(more) => {
                let rows = front.int(ROWS);
                front.set_int(ROWS, 0);
                let out = front.body(ANSWER, 1);
                if out.len() < ANSWER_BYTES {
                    out.extend_from_slice(if out.is_empty() { b"" } else { b", " });
                    out.extend_from_slice(b"Resultset rows = ");
                    json::int(out, rows);
                }
                if !more {
                    self.complete(OK, output);
                }
            }
            Step::Ok(true) => {}
            Step::Ok(false) => self.complete(OK, output),
            Step::Text(text) => {
                front.body(ANSWER, 1).extend_from_slice(text);
                self.complete(OK, output);
            }
            Step::Error(message) => {
                front.failed = true;
                let out = front.body(ANSWER, 1);
                out.extend_from_slice(if out.is_empty() { b"" } else { b", " });
                out.extend_from_slice(message);
                self.complete(ERROR, output);
            }
            Step::Wrong => {
                output.counts.garbage += 1;
                self.lose(output);
            }
        }
    }

    fn complete(&mut self, status: i64, output: &mut Output<'_>) {
        let Some(mut exchange) = self.waiting.pop_front() else { return };
        exchange.set_int(STATUS, status);
        self.confirmed = true;
        match exchange.int(COMMAND) as u8 {
            frame::CONNECT if status == OK => self.method = self.wanted,
            frame::BINLOG_DUMP | frame::BINLOG_DUMP_GTID => self.opaque = true,
            _ => {}
        }
        output.emit(exchange);
        let first = self.waiting.front().map_or(1, |front| front.int(FIRST) as u8);
        self.begin(first);
    }
}
