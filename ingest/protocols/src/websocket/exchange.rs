//! Frames to messages: fragments joined, control frames between them.

use super::frame::{BINARY, CONTINUATION, HEAD_BYTES_MAX, Head, Read};
use super::{infer, table};
use crate::exchange::Exchange;
use crate::protocol::{Description, Frame, Inference, LIKELY, Measure, Output, Protocol, Resync, RowTime, Setup, Side};

/// The longest path that is kept.
const PATH_BYTES_MAX: usize = 1024;
/// Frames that must follow one that was found by its length, before it is trusted.
const DOUBTFUL_FRAMES: u8 = 2;

/// WebSocket on one connection.
#[derive(Debug)]
pub struct Websocket {
    body_bytes: usize,
    path: Vec<u8>,
    /// By side: the message in progress.
    open: [Option<Box<Exchange>>; 2],
    /// By side: so many messages to come are in doubt, since their first frame was found by its length only.
    doubtful: [u8; 2],
}

impl Websocket {
    /// After the request for `path` was answered by an upgrade.
    #[must_use]
    pub fn upgraded(setup: Setup, path: &[u8]) -> Self {
        let path = path[..path.len().min(PATH_BYTES_MAX)].to_vec();
        Websocket { body_bytes: setup.body_bytes, path, open: [None, None], doubtful: [0; 2] }
    }

    /// How much of the payload is looked at; what cannot be read need not be.
    fn kept(&self, side: Side, head: &Head) -> usize {
        let open = self.open[side as usize].as_deref().filter(|_| head.opcode == CONTINUATION);
        let readable = match head.opcode {
            CONTINUATION => open.is_some_and(table::is_readable),
            BINARY => false,
            _ => !head.compressed,
        };
        if !readable {
            return 0;
        }
        let room = self.body_bytes.saturating_sub(open.map_or(0, |open| open.text(table::BODY).len()));
        // A control frame has at most 125 bytes, of which the code of a close is none of the text.
        let room = if head.is_control() { room.max(2) } else { room };
        room.min(usize::try_from(head.payload).unwrap_or(usize::MAX))
    }

    fn begin(&self, side: Side, head: &Head, output: &mut Output<'_>) -> Box<Exchange> {
        let mut exchange = output.pool.take();
        table::begin(&mut exchange, &self.path, side, head);
        exchange
    }
}

impl Protocol for Websocket {
    const DESCRIPTION: Description = Description {
        name: "WebSocket",
        number: 1,
        table: "websocket_events",
        time: RowTime::Later,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Websocket::upgraded(setup, b"")
    }

    fn infer(bytes: &[u8]) -> Inference {
        if bytes.is_empty() { Inference::NO } else { infer::infer(bytes) }
    }

    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure {
        match Head::read(bytes) {
            Read::Head(head) if head.side() == side => {
                Measure::Frame { length: head.total(), keep: head.bytes + self.kept(side, &head) }
            }
            Read::More if bytes.len() < HEAD_BYTES_MAX => Measure::More,
            Read::Head(_) | Read::More | Read::Invalid => Measure::Invalid,
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        let Read::Head(head) = Head::read(frame.bytes) else { return };
        let at = frame.side as usize;
        let mut message = match self.open[at].take_if(|_| !head.is_control()) {
            Some(message) if head.opcode == CONTINUATION => message,
            Some(cut_off) => {
                output.counts.unpaired_requests += 1;
                output.pool.give(cut_off);
                self.begin(frame.side, &head, output)
            }
            None => {
                let mut message = self.begin(frame.side, &head, output);
                message.partial = head.opcode == CONTINUATION;
                message
            }
        };
        let (seen, unseen) = match frame.side {
            Side::Client => (&mut message.request, &mut message.response),
            Side::Server => (&mut message.response, &mut message.request),
        };
        seen.extend(frame.span);
        (unseen.start_ns, unseen.end_ns) = (seen.start_ns, seen.end_ns);
        message.partial |= frame.cut;
        message.partial |= self.doubtful[at] > 0;
        self.doubtful[at] = self.doubtful[at].saturating_sub(1);
        table::extend(&mut message, &head, frame.bytes.get(head.bytes..).unwrap_or_default(), self.body_bytes);
        if head.last { output.emit(message) } else { self.open[at] = Some(message) }
    }

    fn missed(&mut self, side: Side, output: &mut Output<'_>) {
        if let Some(message) = self.open[side as usize].take() {
            output.counts.unpaired_requests += 1;
            output.pool.give(message);
        }
    }

    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        let found = Self::infer(bytes);
        if found.side.is_some_and(|sender| sender != side) {
            return Resync::No;
        }
        match found.score {
            LIKELY.. => Resync::At(0),
            infer::ENDS_WITH_BUFFER.. => {
                self.doubtful[side as usize] = DOUBTFUL_FRAMES;
                Resync::At(0)
            }
            1.. if bytes.len() < HEAD_BYTES_MAX => Resync::Wait,
            _ => Resync::No,
        }
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        for message in &mut self.open {
            if let Some(mut message) = message.take() {
                message.partial = true;
                output.emit(message);
            }
        }
    }

    fn at_rest(&self) -> bool {
        true
    }
}
