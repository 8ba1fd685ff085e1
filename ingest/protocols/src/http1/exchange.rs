//! What comes out: a request with its response, and counts of what did not.

use std::ops::Range;

use crate::content::{Decoder, Encoding};
use crate::http1::head::Head;

/// What the response's `Content-Type` says, as far as tables tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentType {
    /// Anything else, or nothing.
    #[default]
    Unknown = 0,
    /// JSON.
    Json = 1,
    /// gRPC.
    Grpc = 2,
}

impl ContentType {
    pub(super) fn of_header(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        let starts = |name: &[u8]| value.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        match () {
            () if starts(b"application/json") => ContentType::Json,
            () if starts(b"application/grpc") => ContentType::Grpc,
            () => ContentType::Unknown,
        }
    }
}

/// A request or a response.
#[derive(Debug, Default)]
pub struct Message {
    head: Vec<u8>,
    word: Range<usize>,
    target: Range<usize>,
    headers: Range<usize>,
    body: Vec<u8>,
    body_cut: bool,
    pub(super) encoding: Encoding,
    /// Minor version of HTTP/1.
    pub minor_version: u8,
    /// Status of a response, 0 for a request.
    pub status: u16,
    /// What kind of content it says to have.
    pub content_type: ContentType,
    /// Bytes of the body that passed, without chunk framing.
    pub body_bytes: u64,
    /// Bytes of the whole message that passed.
    pub wire_bytes: u64,
    /// When its first bytes passed.
    pub start_ns: i64,
    /// When its last bytes passed.
    pub end_ns: i64,
    /// Something of it was not seen where it had to be seen.
    pub partial: bool,
    pub(super) done: bool,
    pub(super) expects: bool,
}

impl Message {
    /// Method of a request.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        &self.head[self.word.clone()]
    }

    /// Reason phrase of a response.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.head[self.word.clone()]
    }

    /// Target of a request as sent.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.head[self.target.clone()]
    }

    /// The header lines with their line ends.
    #[must_use]
    pub fn headers(&self) -> &[u8] {
        &self.head[self.headers.clone()]
    }

    /// The captured beginning of the body, decoded.
    pub fn body<'a>(&'a self, decoder: &'a mut Decoder, limit: usize) -> &'a [u8] {
        decoder.decode(self.encoding, &self.body, limit)
    }

    pub(super) fn begin(&mut self, head: &Head, bytes: &[u8], time_ns: i64) {
        self.head.clear();
        self.head.extend_from_slice(&bytes[..head.headers.end.max(head.word.end).max(head.target.end)]);
        self.word = head.word.clone();
        self.target = head.target.clone();
        self.headers = head.headers.clone();
        self.encoding = head.fields.encoding;
        self.minor_version = head.minor_version;
        self.status = head.status;
        self.content_type = head.fields.content_type;
        self.expects = head.fields.expects;
        self.end_ns = time_ns;
    }

    pub(super) fn add_body(&mut self, bytes: &[u8], limit: usize) {
        self.body_bytes = self.body_bytes.saturating_add(bytes.len() as u64);
        if !self.body_cut {
            let room = limit.saturating_sub(self.body.len()).min(bytes.len());
            self.body.extend_from_slice(&bytes[..room]);
        }
    }

    /// Body that passed unseen; what comes after it would not be its beginning.
    pub(super) fn skip_body(&mut self, bytes: u64) {
        self.body_bytes = self.body_bytes.saturating_add(bytes);
        self.body_cut |= bytes > 0;
    }

    fn clear(&mut self) {
        let (mut head, mut body) = (std::mem::take(&mut self.head), std::mem::take(&mut self.body));
        head.clear();
        body.clear();
        *self = Message { head, body, ..Message::default() };
    }

    fn held_bytes(&self) -> usize {
        self.head.capacity() + self.body.capacity()
    }
}

/// A request with its response.
#[derive(Debug, Default)]
pub struct Exchange {
    /// What was asked.
    pub request: Message,
    /// What was answered.
    pub response: Message,
}

impl Exchange {
    /// From the last of the request to the last of the response; never negative.
    #[must_use]
    pub fn latency_ns(&self) -> i64 {
        self.response.end_ns.saturating_sub(self.request.end_ns).max(0)
    }

    /// Whether something of it was not seen where it had to be seen.
    #[must_use]
    pub fn partial(&self) -> bool {
        self.request.partial || self.response.partial
    }
}

/// Exchanges that are not in use, shared by all connections, so that a connection at rest holds none.
#[derive(Debug, Default)]
pub struct Pool {
    #[expect(clippy::vec_box, reason = "boxes move between queues and pool; an exchange is some hundred bytes")]
    free: Vec<Box<Exchange>>,
}

const POOL_MAX: usize = 1024;
/// An exchange with larger buffers is not kept.
const KEPT_BYTES_MAX: usize = 32 << 10;

impl Pool {
    pub(super) fn take(&mut self) -> Box<Exchange> {
        self.free.pop().unwrap_or_default()
    }

    pub(super) fn give(&mut self, mut exchange: Box<Exchange>) {
        if self.free.len() < POOL_MAX && exchange.request.held_bytes() + exchange.response.held_bytes() < KEPT_BYTES_MAX
        {
            exchange.request.clear();
            exchange.response.clear();
            self.free.push(exchange);
        }
    }
}
