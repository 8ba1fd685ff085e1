//! What a protocol has to say about itself: how to recognise it, where its frames end, and how frames become
//! exchanges. Everything else (placing bytes, gaps, elisions, times) is the same for all, in [`crate::stream`].

use std::fmt::Debug;

use crate::counts::Counts;
use crate::exchange::{Exchange, Pool, Span};

/// Who sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who asks.
    Client = 0,
    /// Who answers.
    Server = 1,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// How much a buffer looks like the start of a protocol's frame, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inference {
    /// 0 (certainly not) to 100 (certainly). Below [`LIKELY`] but above 0: too short to tell, or weak.
    pub score: u8,
    /// Who sends such a frame; `None` where both do.
    pub side: Option<Side>,
}

impl Inference {
    /// Certainly not.
    pub const NO: Inference = Inference { score: 0, side: None };

    /// A score of a frame that only one side sends.
    #[must_use]
    pub fn of(side: Side, score: u8) -> Self {
        Inference { score, side: Some(side) }
    }
}

/// From here on a buffer is taken for the start of a frame.
pub const LIKELY: u8 = 80;
/// So much alone is enough to choose a protocol at its first message.
pub const CERTAIN: u8 = 95;

/// What is known of a connection when its parser is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Every segment is one datagram; else a stream.
    pub datagrams: bool,
    /// Bytes of a body that are kept.
    pub body_bytes: usize,
    /// It is seen from its first byte on; else state from before (prepared statements, header tables) is unknown.
    pub from_start: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup { datagrams: false, body_bytes: 1024, from_start: true }
    }
}

/// Where the frame at the beginning of a buffer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// It takes more bytes to tell. A protocol without lengths in front says this until it sees the frame's end.
    More,
    /// It has so many bytes, of which the first `keep` are wanted; the rest may pass unseen.
    Frame {
        /// Bytes on the wire, at least 1.
        length: u64,
        /// How many of them, from its beginning, [`Protocol::frame`] is to get.
        keep: usize,
    },
    /// The end cannot be told yet, but `count` bytes from offset `at` on are content that may pass unseen: they are
    /// taken out, and the buffer goes on after them. The protocol has to remember that (it is not told again).
    Elide {
        /// Offset in the buffer, at most its length.
        at: usize,
        /// Bytes to leave out, at least 1.
        count: u64,
    },
    /// Not a frame.
    Invalid,
}

/// One frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Who sent it.
    pub side: Side,
    /// Its beginning: as much as was asked for, or less when `cut`.
    pub bytes: &'a [u8],
    /// Bytes that passed, and when.
    pub span: Span,
    /// Some of what was asked for was not captured: elided, or lost.
    pub cut: bool,
}

/// What to do in a direction where a frame's start is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resync {
    /// A frame starts at this offset.
    At(usize),
    /// It may, but there are too few bytes to tell.
    Wait,
    /// It does not.
    No,
}

/// What parsers share while they run.
pub struct Output<'a> {
    /// Where exchanges come from and go to.
    pub pool: &'a mut Pool,
    /// What is counted.
    pub counts: &'a mut Counts,
    /// Who gets exchanges.
    pub sink: &'a mut dyn FnMut(&Exchange),
}

impl Output<'_> {
    /// Hands out a complete exchange.
    pub fn emit(&mut self, exchange: Box<Exchange>) {
        self.counts.exchanges += 1;
        (self.sink)(&exchange);
        self.pool.give(exchange);
    }
}

impl Debug for Output<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Output").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// Which time a row of the table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowTime {
    /// When the answer was complete.
    Response,
    /// When the request was complete.
    Request,
    /// The later of both.
    Later,
}

/// What is the same for all connections of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// For people.
    pub name: &'static str,
    /// Its number in `conn_stats.protocol`.
    pub number: i64,
    /// Which table its exchanges go to.
    pub table: &'static str,
    /// What its rows have as `time_`.
    pub time: RowTime,
    /// It can come in datagrams.
    pub datagrams: bool,
    /// It can come in streams.
    pub streams: bool,
    /// Several messages in one transfer are common, so that its beginning is not enough to follow it.
    pub whole: bool,
}

/// A protocol's state on one connection. Memory must be bounded; nothing may panic.
pub trait Protocol: Sized + Debug {
    /// What is the same for all connections.
    const DESCRIPTION: Description;

    /// The state of a connection of which nothing was parsed yet.
    fn new(setup: Setup) -> Self;

    /// Scores the beginning of any buffer. Must work in mid-stream: a later segment starts anywhere.
    fn infer(bytes: &[u8]) -> Inference;

    /// Scores the beginning of a frame where the protocol is known, and who asks.
    fn infer_frame(bytes: &[u8]) -> Inference {
        Self::infer(bytes)
    }

    /// Scores a datagram.
    fn infer_datagram(bytes: &[u8]) -> Inference {
        Self::infer(bytes)
    }

    /// Where the frame at the beginning of `bytes` ends; `bytes` is never empty. Called again with the same beginning
    /// when there is more. Not called for datagrams.
    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure;

    /// Bytes after `bytes`, which [`Self::measure`] called incomplete or which are none, passed unseen. An `Elide` or
    /// `Frame` that reaches over them keeps the direction in step; anything else loses it. A protocol that knows what
    /// has to come may say `Frame` of a frame whose head was not seen; it gets that without its head, then.
    fn at_hole(&mut self, _side: Side, _bytes: &[u8]) -> Measure {
        Measure::Invalid
    }

    /// Takes a frame (or datagram).
    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>);

    /// Frames of that side may have been missed: what cannot be paired any more is to be given up and counted. Any
    /// state of a frame in progress is void.
    fn missed(&mut self, side: Side, output: &mut Output<'_>);

    /// Whether a frame starts in `bytes`, the beginning of a segment after something was missed.
    fn resynchronise(&mut self, side: Side, bytes: &[u8]) -> Resync {
        let inference = Self::infer_frame(bytes);
        match inference.score {
            _ if inference.side.is_some_and(|found| found != side) => Resync::No,
            LIKELY.. => Resync::At(0),
            1.. if bytes.len() < RESYNC_BYTES => Resync::Wait,
            _ => Resync::No,
        }
    }

    /// Completes or gives up what only time can end. Called about once a second.
    fn expire(&mut self, _now_ns: i64, _output: &mut Output<'_>) {}

    /// The connection is closed: emits what is complete, counts and gives back what is not.
    fn finish(&mut self, output: &mut Output<'_>);

    /// Whether what was seen of the connection tells who asks; where both sides send the same, nothing does.
    fn tells_who_asks(&self) -> bool {
        true
    }

    /// Whether nothing waits, so that [`Self::expire`] need not be called.
    fn at_rest(&self) -> bool;

    /// Whether nothing more will come of the connection, such as after an upgrade to TLS.
    fn opaque(&self) -> bool {
        false
    }
}

/// A start is not waited for longer than so many bytes.
pub const RESYNC_BYTES: usize = 64;
