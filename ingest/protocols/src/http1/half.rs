//! One direction of a connection: where in its messages the next byte is.

use crate::http1::chunk::Chunk;

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A message, or line ends before one.
    Start,
    /// A head of which the beginning is in the buffer.
    Head,
    /// A body with so many bytes left.
    Fixed(u64),
    /// A chunked body.
    Chunked(Chunk),
    /// A body that ends with the connection.
    UntilClose,
    /// A message whose end cannot be computed any more: it ends where another message starts.
    Unframed { chunked: bool },
    /// Nothing known; events since then.
    Lost { events: u32 },
    /// What follows a CONNECT until it is answered.
    Tunnel,
    /// No HTTP any more.
    Opaque,
}

/// State of one direction.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) state: State,
    /// Position of the next byte; `None` before the first segment.
    pub(super) next: Option<u64>,
    /// A head so far.
    pub(super) buffer: Vec<u8>,
    /// When the first bytes in the buffer passed.
    pub(super) buffered_since_ns: i64,
    /// Where messages start is not known, because bytes were not copied.
    pub(super) torn: bool,
    /// Whether the message in progress belongs to an exchange, or is only followed for its end.
    pub(super) tracked: bool,
    /// When the last bytes passed.
    pub(super) last_ns: i64,
}

impl Half {
    pub(super) fn new() -> Self {
        Half {
            state: State::Start,
            next: None,
            buffer: Vec::new(),
            buffered_since_ns: 0,
            torn: false,
            tracked: false,
            last_ns: 0,
        }
    }

    pub(super) fn drop_buffer(&mut self) {
        self.buffer = Vec::new();
    }
}
