//! T messages with their answers, by tag and by who asks.

use super::frame::{DISCARDED, ERROR, HEAD_BYTES, Head, LEASE};
use super::{infer, table};
use crate::exchange::Span;
use crate::pairing::ById;
use crate::protocol::{Description, Frame, Inference, Measure, Output, Protocol, RowTime, Setup, Side};

const WAITING_MAX: usize = 2048;
/// Bytes of a body that are looked at.
const BODY_BYTES: usize = 128;
/// Messages of which only fragments came, by side.
const FRAGMENTS_MAX: usize = 256;

/// Mux on one connection.
#[derive(Debug)]
pub struct Mux {
    waiting: ById<(Side, u32)>,
    fragments: Vec<Fragments>,
    /// By side: first fragments may have been missed, so that a message may be but the end of one.
    behind: [bool; 2],
}

/// A message whose last fragment is still to come.
#[derive(Debug)]
struct Fragments {
    side: Side,
    kind: i8,
    tag: u32,
    span: Span,
    cut: bool,
    /// The first byte of its body.
    first: Option<u8>,
}

impl Protocol for Mux {
    const DESCRIPTION: Description = Description {
        name: "Mux",
        number: 11,
        table: "mux_events",
        time: RowTime::Response,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Mux { waiting: ById::new(WAITING_MAX), fragments: Vec::new(), behind: [!setup.from_start; 2] }
    }

    fn infer(bytes: &[u8]) -> Inference {
        if bytes.is_empty() { Inference::NO } else { infer::infer(bytes) }
    }

    fn measure(&mut self, _side: Side, bytes: &[u8]) -> Measure {
        if bytes.len() < HEAD_BYTES {
            return Measure::More;
        }
        match Head::read(bytes) {
            Some(head) => {
                Measure::Frame { length: head.total() as u64, keep: head.total().min(HEAD_BYTES + BODY_BYTES) }
            }
            None => Measure::Invalid,
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let Some(head) = Head::read(frame.bytes) else { return };
        let body = &frame.bytes[HEAD_BYTES..];
        let same = |held: &Fragments| held.side == frame.side && held.kind == head.kind && held.tag == head.tag;
        let at = self.fragments.iter().position(same);
        let mut message = match at {
            Some(at) => self.fragments.swap_remove(at),
            None => Fragments {
                side: frame.side,
                kind: head.kind,
                tag: head.tag,
                span: Span::default(),
                cut: self.behind[frame.side as usize] && !infer::begins(head, body),
                first: body.first().copied(),
            },
        };
        message.span.extend(frame.span);
        message.cut |= frame.cut;
        if head.fragment && head.kind != ERROR && head.kind != DISCARDED {
            if self.fragments.len() >= FRAGMENTS_MAX {
                output.counts.overflows += 1;
                return;
            }
            return self.fragments.push(message);
        }
        if head.kind > 0 { self.ask(head, &message, output) } else { self.answer(head, &message, output) }
    }

    fn missed(&mut self, side: Side, _output: &mut Output<'_>) {
        self.fragments.retain(|held| held.side != side);
        self.behind[side as usize] = true;
        self.waiting.missed();
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        self.waiting.finish(output);
    }

    fn at_rest(&self) -> bool {
        self.waiting.is_empty()
    }
}

impl Mux {
    fn ask(&mut self, head: Head, message: &Fragments, output: &mut Output<'_>) {
        let mut exchange = output.pool.take();
        exchange.request = message.span;
        exchange.partial = message.cut;
        table::set_request(&mut exchange, head);
        // A marker expects no answer.
        if head.tag != 0 && !matches!(head.kind, DISCARDED | LEASE) {
            return self.waiting.ask((message.side, head.tag), exchange, output);
        }
        let end_ns = message.span.end_ns;
        exchange.response = Span { start_ns: end_ns, end_ns, bytes: 0 };
        output.emit(exchange);
    }

    fn answer(&mut self, head: Head, message: &Fragments, output: &mut Output<'_>) {
        let Some(mut exchange) = self.waiting.answer(&(message.side.other(), head.tag), output) else { return };
        let asked = exchange.int(0);
        if head.kind != ERROR && asked != -i64::from(head.kind) && head.kind != -DISCARDED {
            // The answer to what was asked was missed, as was the question to this one.
            output.counts.unpaired_requests += 1;
            return output.pool.give(exchange);
        }
        exchange.response = message.span;
        exchange.partial |= message.cut;
        table::set_reply(&mut exchange, head, message.first.as_slice());
        output.emit(exchange);
    }
}
