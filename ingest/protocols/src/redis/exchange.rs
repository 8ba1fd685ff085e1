//! Commands and replies in order; what the server sends unasked apart.

use super::frame::{Element, Elements, Scan};
use super::{infer, table};
use crate::exchange::Exchange;
use crate::pairing::InOrder;
use crate::protocol::{Description, Frame, Inference, Measure, Output, Protocol, Resync, RowTime, Setup, Side};
use crate::settling::Settling;

const WAITING_MAX: usize = 4096;
/// Columns behind those of the table: what kind of answer is awaited, and how many confirmations.
const KIND: usize = 3;
const CONFIRMATIONS: usize = 4;

const PLAIN: i64 = 0;
/// A confirmation for each channel.
const SUBSCRIPTION: i64 = 1;
/// Answered with a line in the middle of pushed messages too.
const SUBSCRIBED: i64 = 2;
const MONITOR: i64 = 3;
/// Everything behind its answer is another protocol.
const REPLICATION: i64 = 4;

/// Whether the server answers, as the client has asked with `CLIENT REPLY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replies {
    On,
    Off,
    /// All but the next one.
    SkipNext,
}

/// Redis on one connection.
#[derive(Debug)]
pub struct Redis {
    keep: usize,
    scans: [Scan; 2],
    commands: InOrder,
    settling: Settling,
    replies: Replies,
    /// Every line is a message from now on.
    monitored: bool,
    opaque: bool,
}

impl Protocol for Redis {
    const DESCRIPTION: Description = Description {
        name: "Redis",
        number: 7,
        table: "redis_events",
        time: RowTime::Response,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Redis {
            keep: setup.body_bytes.max(16),
            scans: [Scan::default(); 2],
            commands: InOrder::new(WAITING_MAX, setup.from_start),
            settling: Settling::new(setup.from_start),
            replies: Replies::On,
            monitored: false,
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
        self.scans[side as usize].measure(side, bytes, self.keep)
    }

    fn at_hole(&mut self, side: Side, bytes: &[u8]) -> Measure {
        self.scans[side as usize].at_hole(bytes)
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let scan = std::mem::take(&mut self.scans[frame.side as usize]);
        if self.opaque {
            return;
        }
        let elements = Elements::new(frame.bytes, &scan, self.keep);
        match frame.side {
            Side::Client => self.command(frame, elements, output),
            Side::Server => self.reply(frame, elements, output),
        }
    }

    fn missed(&mut self, side: Side, output: &mut Output<'_>) {
        self.scans[side as usize] = Scan::default();
        self.replies = Replies::On;
        if side == Side::Client {
            self.settling.missed();
        }
        self.commands.missed(side, output);
    }

    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        if !self.opaque && infer::starts(side, bytes) { Resync::At(0) } else { Resync::No }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        self.commands.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.commands.is_empty()
    }

    fn opaque(&self) -> bool {
        self.opaque
    }
}

impl Redis {
    fn command(&mut self, frame: &Frame<'_>, elements: Elements<'_>, output: &mut Output<'_>) {
        let mut exchange = output.pool.take();
        let arguments = if frame.bytes.first() == Some(&b'*') {
            let words =
                elements.filter_map(|element| if let Element::Text(text) = element { Some(text) } else { None });
            table::set_request(&mut exchange, words)
        } else {
            let words = table::inline_words(frame.bytes);
            table::set_request(&mut exchange, words.iter().map(Vec::as_slice))
        };
        if exchange.text(table::COMMAND).is_empty() && !frame.cut {
            // Empty commands are passed over by the server too.
            return output.pool.give(exchange);
        }
        exchange.request = frame.span;
        exchange.partial = frame.cut;
        let kind = kind_of(exchange.text(table::COMMAND));
        exchange.set_int(KIND, kind);
        exchange.set_int(CONFIRMATIONS, arguments.clamp(1, 1 << 20) as i64);
        if !self.settling.admits(frame.span.start_ns) {
            output.counts.unpaired_requests += 1;
            return output.pool.give(exchange);
        }
        if self.is_answered(&exchange) {
            self.commands.ask(exchange, output);
        } else {
            exchange.response = frame.span;
            (exchange.response.start_ns, exchange.response.bytes) = (frame.span.end_ns, 0);
            exchange.note = "no reply asked for";
            output.emit(exchange);
        }
    }

    /// Whether a command has a reply; takes note of what it says about those of others.
    fn is_answered(&mut self, exchange: &Exchange) -> bool {
        let next = match (exchange.text(table::COMMAND), exchange.text(table::ARGUMENTS)) {
            (b"CLIENT REPLY", b"[\"on\"]" | b"[\"ON\"]") => Replies::On,
            (b"CLIENT REPLY", b"[\"off\"]" | b"[\"OFF\"]") => Replies::Off,
            (b"CLIENT REPLY", b"[\"skip\"]" | b"[\"SKIP\"]") if self.replies != Replies::Off => {
                self.replies = Replies::SkipNext;
                return false;
            }
            _ => {
                let answered = self.replies == Replies::On;
                if self.replies == Replies::SkipNext {
                    self.replies = Replies::On;
                }
                return answered;
            }
        };
        self.replies = next;
        next == Replies::On
    }

    fn reply(&mut self, frame: &Frame<'_>, elements: Elements<'_>, output: &mut Output<'_>) {
        let mut ahead = elements;
        let first = ahead.next();
        let pushed = matches!(first, Some(Element::Push(_)));
        let listed = matches!(first, Some(Element::List(3 | 4)));
        if (pushed || listed)
            && let Some(Element::Text(name)) = ahead.next()
        {
            if is_confirmation(name) && (pushed || self.awaits_messages()) {
                return self.confirm(frame, name, elements, output);
            }
            if !pushed && matches!(name, b"message" | b"pmessage" | b"smessage") && self.awaits_messages() {
                return unasked(frame, elements, output);
            }
        }
        let observed = self.monitored && matches!(first, Some(Element::Text([b'0'..=b'9', ..])));
        if pushed || observed {
            return unasked(frame, elements, output);
        }
        self.settling.answered(frame.span.end_ns);
        let found = self.commands.answer(frame.span.end_ns, output);
        let mut exchange = found.unwrap_or_else(|| output.pool.take());
        self.monitored |= exchange.int(KIND) == MONITOR;
        self.opaque |= exchange.int(KIND) == REPLICATION;
        exchange.response = frame.span;
        exchange.partial |= frame.cut;
        if let Some(Element::Error(text)) = first {
            exchange.failed = true;
            exchange.note = redirection(text);
        }
        table::set_reply(&mut exchange, elements);
        self.commands.complete(exchange, output);
    }

    /// Whether what waits, if anything, is a command of a connection that listens to channels.
    fn awaits_messages(&mut self) -> bool {
        self.commands.front().is_none_or(|front| matches!(front.int(KIND), SUBSCRIPTION | SUBSCRIBED))
    }

    /// Takes a confirmation of a subscription. One that nothing waits for is of a command that was not seen.
    fn confirm(&mut self, frame: &Frame<'_>, name: &[u8], mut elements: Elements<'_>, output: &mut Output<'_>) {
        self.settling.answered(frame.span.end_ns);
        let awaited = |front: &&mut Exchange| front.text(table::COMMAND).eq_ignore_ascii_case(name);
        let Some(front) = self.commands.front().filter(awaited) else {
            output.counts.unpaired_responses += 1;
            return;
        };
        front.response.extend(frame.span);
        front.partial |= frame.cut;
        let left = front.int(CONFIRMATIONS) - 1;
        front.set_int(CONFIRMATIONS, left);
        let text = front.body(table::REPLY, 1);
        if text.len() < self.keep {
            if !text.is_empty() {
                text.push(b'\n');
            }
            table::reply(text, &mut elements);
        }
        if left <= 0
            && let Some(exchange) = self.commands.answer(frame.span.end_ns, output)
        {
            self.commands.complete(exchange, output);
        }
    }
}

fn kind_of(command: &[u8]) -> i64 {
    match command {
        b"SUBSCRIBE" | b"UNSUBSCRIBE" | b"PSUBSCRIBE" | b"PUNSUBSCRIBE" | b"SSUBSCRIBE" | b"SUNSUBSCRIBE" => {
            SUBSCRIPTION
        }
        b"PING" | b"QUIT" => SUBSCRIBED,
        b"MONITOR" => MONITOR,
        b"SYNC" | b"PSYNC" => REPLICATION,
        _ => PLAIN,
    }
}

fn is_confirmation(name: &[u8]) -> bool {
    matches!(name, b"subscribe" | b"unsubscribe" | b"psubscribe" | b"punsubscribe" | b"ssubscribe" | b"sunsubscribe")
}

fn redirection(error: &[u8]) -> &'static str {
    match error {
        [b'M', b'O', b'V', b'E', b'D', b' ', ..] => "moved",
        [b'A', b'S', b'K', b' ', ..] => "ask",
        _ => "",
    }
}

/// A row of what the server sent without being asked.
fn unasked(frame: &Frame<'_>, elements: Elements<'_>, output: &mut Output<'_>) {
    let mut exchange = output.pool.take();
    exchange.response = frame.span;
    (exchange.request.start_ns, exchange.request.end_ns) = (frame.span.end_ns, frame.span.end_ns);
    exchange.partial = frame.cut;
    exchange.note = "pushed";
    table::set_reply(&mut exchange, elements);
    output.emit(exchange);
}
