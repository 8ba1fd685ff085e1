//! Streams as exchanges.

use std::collections::VecDeque;

use super::body::Body;
use super::frame::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADER_BYTES, HEADERS, Header, PREFACE, PUSH_PROMISE,
    RST_STREAM,
};
use super::hpack::{Block, Table};
use super::{infer, table};
use crate::exchange::Exchange;
use crate::protocol::{Description, Frame, Inference, Measure, Output, Protocol, RowTime, Setup, Side};

const STREAMS_MAX: usize = 1024;
const BLOCK_BYTES_MAX: usize = 64 << 10;

#[derive(Debug)]
struct Stream {
    id: u32,
    exchange: Box<Exchange>,
    ended: [bool; 2],
    bodies: [Body; 2],
}

/// A header block; one that goes on in the next frame has bytes of its own.
#[derive(Debug)]
struct HeaderBlock<B> {
    stream: u32,
    bytes: B,
    ends_stream: bool,
    is_promise: bool,
    is_cut: bool,
}

/// HTTP/2 on one connection.
#[derive(Debug)]
pub struct Http2 {
    setup: Setup,
    tables: [Table; 2],
    blocks: [Option<HeaderBlock<Vec<u8>>>; 2],
    streams: VecDeque<Stream>,
    /// Room for what is put together.
    lines: Vec<u8>,
    /// The stream whose data came last, and the longest data frame, by side.
    data: [(u32, u32); 2],
    /// A frame in progress whose header was not seen, by side.
    foreseen: [Option<Header>; 2],
    /// Frames may have been missed, of which side.
    missed: [bool; 2],
}

impl Protocol for Http2 {
    const DESCRIPTION: Description = Description {
        name: "HTTP/2",
        number: 2,
        table: "http_events",
        time: RowTime::Response,
        datagrams: false,
        streams: true,
        whole: true,
    };

    fn new(setup: Setup) -> Self {
        Http2 {
            setup,
            tables: Default::default(),
            blocks: Default::default(),
            streams: VecDeque::new(),
            lines: Vec::new(),
            data: [(0, 0); 2],
            foreseen: [None; 2],
            missed: [!setup.from_start; 2],
        }
    }

    fn infer(bytes: &[u8]) -> Inference {
        infer::infer(bytes)
    }

    fn infer_frame(bytes: &[u8]) -> Inference {
        infer::frames(bytes)
    }

    fn measure(&mut self, side: Side, bytes: &[u8]) -> Measure {
        let common = bytes.len().min(PREFACE.len());
        if side == Side::Client && bytes[..common] == PREFACE[..common] {
            let length = PREFACE.len();
            return if common < length {
                Measure::More
            } else {
                Measure::Frame { length: length as u64, keep: length }
            };
        }
        let Some(header) = Header::read(bytes) else { return Measure::More };
        if !header.is_sound() {
            return Measure::Invalid;
        }
        let length = HEADER_BYTES + header.length as usize;
        Measure::Frame { length: length as u64, keep: length }
    }

    /// Behind a frame of data comes the next one, until the body or the message is complete.
    fn at_hole(&mut self, side: Side, bytes: &[u8]) -> Measure {
        let (id, longest) = self.data[side as usize];
        let Some(stream) = self.position(id).map(|at| &self.streams[at]) else { return Measure::Invalid };
        let left = stream.bodies[side as usize].left(table::is_grpc(&stream.exchange));
        if bytes.len() >= HEADER_BYTES || left == 0 || longest == 0 {
            return Measure::Invalid;
        }
        let length = u32::try_from(left).map_or(longest, |left| left.min(longest));
        self.foreseen[side as usize] = Some(Header { length, kind: DATA, flags: 0, stream: id });
        Measure::Frame { length: HEADER_BYTES as u64 + u64::from(length), keep: 0 }
    }

    fn frame(&mut self, frame: &Frame<'_>, output: &mut Output<'_>) {
        if let Some(header) = self.foreseen[frame.side as usize].take() {
            return self.foreseen(header, frame, output);
        }
        let Some(header) = Header::read(frame.bytes) else { return };
        if frame.bytes.starts_with(b"PRI ") {
            return;
        }
        let content = header.content(frame.bytes);
        let at = frame.side as usize;
        match header.kind {
            DATA => self.data(header, content, frame, output),
            HEADERS | PUSH_PROMISE => {
                let block = HeaderBlock {
                    stream: header.stream,
                    bytes: content,
                    ends_stream: header.kind == HEADERS && header.has(END_STREAM),
                    is_promise: header.kind == PUSH_PROMISE,
                    is_cut: frame.cut,
                };
                if header.has(END_HEADERS) {
                    self.block(&block, frame, output);
                } else {
                    self.extend_span(header.stream, frame, output);
                    let HeaderBlock { stream, ends_stream, is_promise, is_cut, .. } = block;
                    let bytes = content.to_vec();
                    self.blocks[at] = Some(HeaderBlock { stream, bytes, ends_stream, is_promise, is_cut });
                }
            }
            CONTINUATION => {
                let Some(mut block) = self.blocks[at].take().filter(|block| block.stream == header.stream) else {
                    self.tables[at].forget();
                    self.missed[at] = true;
                    return;
                };
                block.is_cut |= frame.cut || block.bytes.len() > BLOCK_BYTES_MAX;
                if !block.is_cut {
                    block.bytes.extend_from_slice(content);
                }
                if header.has(END_HEADERS) {
                    self.block(&block, frame, output);
                } else {
                    self.extend_span(header.stream, frame, output);
                    self.blocks[at] = Some(block);
                }
            }
            RST_STREAM => {
                if let Some(mut stream) = self.take(header.stream) {
                    stream.exchange.partial |= frame.cut;
                    // Servers end what a client still sends with NO_ERROR after a complete answer (RFC 9113, 8.1).
                    if content != [0; 4] || !stream.ended[Side::Server as usize] {
                        stream.exchange.note = "reset";
                        stream.exchange.failed = true;
                    }
                    let time_ns = frame.span.end_ns;
                    if stream.exchange.response.bytes == 0 {
                        (stream.exchange.response.start_ns, stream.exchange.response.end_ns) = (time_ns, time_ns);
                    }
                    self.emit(stream, output);
                }
            }
            GOAWAY if frame.side == Side::Server => self.go_away(content, output),
            _ => {}
        }
    }

    fn missed(&mut self, side: Side, output: &mut Output<'_>) {
        let at = side as usize;
        self.tables[at].forget();
        self.blocks[at] = None;
        self.foreseen[at] = None;
        self.missed[at] = true;
        let _ = output;
        self.streams.iter_mut().for_each(|stream| stream.exchange.partial = true);
    }

    fn finish(&mut self, output: &mut Output<'_>) {
        for stream in self.streams.drain(..) {
            output.counts.unanswered_requests += 1;
            output.pool.give(stream.exchange);
        }
    }

    fn at_rest(&self) -> bool {
        true
    }
}

impl Http2 {
    /// Streams after the last one that the server names were not and will not be processed.
    fn go_away(&mut self, content: &[u8], output: &mut Output<'_>) {
        let Some(last) = content.first_chunk::<4>() else { return };
        let last = u32::from_be_bytes(*last) & 0x7fff_ffff;
        while let Some(at) = self.streams.iter().position(|stream| stream.id > last && stream.id % 2 == 1)
            && let Some(stream) = self.streams.remove(at)
        {
            output.counts.unanswered_requests += 1;
            output.pool.give(stream.exchange);
        }
    }

    fn position(&self, id: u32) -> Option<usize> {
        self.streams.iter().position(|stream| stream.id == id)
    }

    fn take(&mut self, id: u32) -> Option<Stream> {
        self.position(id).and_then(|at| self.streams.remove(at))
    }

    fn open(&mut self, id: u32, output: &mut Output<'_>) -> usize {
        if let Some(at) = self.position(id) {
            return at;
        }
        if self.streams.len() >= STREAMS_MAX
            && let Some(oldest) = self.streams.pop_front()
        {
            output.counts.overflows += 1;
            output.pool.give(oldest.exchange);
        }
        let mut exchange = output.pool.take();
        table::begin(&mut exchange);
        self.streams.push_back(Stream { id, exchange, ended: [false; 2], bodies: Default::default() });
        self.streams.len() - 1
    }

    fn extend_span(&mut self, id: u32, frame: &Frame<'_>, output: &mut Output<'_>) {
        let at = self.open(id, output);
        extend(&mut self.streams[at].exchange, frame);
    }

    fn block(&mut self, block: &HeaderBlock<impl AsRef<[u8]>>, frame: &Frame<'_>, output: &mut Output<'_>) {
        let side = frame.side;
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        if block.is_promise {
            let _ = self.tables[side as usize].decode(block.bytes.as_ref(), |_, _| ());
            self.lines = lines;
            return;
        }
        let known = self.position(block.stream).is_some();
        // An answer whose request was never seen is not half an exchange.
        let orphan = side == Side::Server && !known && self.missed[Side::Client as usize];
        let at = self.open(block.stream, output);
        let Stream { exchange, bodies, .. } = &mut self.streams[at];
        extend(exchange, frame);
        let mut decoded = self.tables[side as usize].decode(block.bytes.as_ref(), |name, value| {
            if name == b"content-length" {
                bodies[side as usize].length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            }
            if table::header(exchange, name, value) {
                lines.extend_from_slice(name);
                lines.extend_from_slice(b": ");
                lines.extend_from_slice(value);
                lines.extend_from_slice(b"\r\n");
            }
        });
        if block.is_cut {
            self.tables[side as usize].forget();
            decoded = Block::Broken;
        }
        exchange.partial |= decoded != Block::Whole;
        let [headers, ..] = table::columns(side);
        if side == Side::Server && table::is_interim(exchange) {
            exchange.set_text(headers, b"");
        } else {
            // Trailers come after the headers.
            exchange.extend_text(headers, &lines);
        }
        self.lines = lines;
        if orphan {
            if let Some(stream) = self.take(block.stream) {
                output.counts.unpaired_responses += 1;
                output.pool.give(stream.exchange);
            }
            return;
        }
        if block.ends_stream {
            self.end(block.stream, side, output);
        }
    }

    fn data(&mut self, header: Header, content: &[u8], frame: &Frame<'_>, output: &mut Output<'_>) {
        let side = frame.side;
        let Some(at) = self.position(header.stream) else { return };
        let limit = self.setup.body_bytes;
        let stream = &mut self.streams[at];
        extend(&mut stream.exchange, frame);
        // A frame that says to be padded has to have room for the length of its padding, and may have none.
        let whole = u64::from(header.length).saturating_sub(u64::from(header.has(8)));
        // Of a long frame not all is kept.
        let all = frame.bytes.len() >= HEADER_BYTES + header.length as usize;
        let passed = if all { content.len() as u64 } else { whole };
        let data = &mut self.data[side as usize];
        *data = (header.stream, data.1.max(header.length));
        let body = &mut stream.bodies[side as usize];
        body.pass(content, passed);
        let [_, column, size] = table::columns(side);
        stream.exchange.set_int(size, i64::try_from(body.bytes).unwrap_or(i64::MAX));
        if !body.cut {
            let body = stream.exchange.body(column, side as usize);
            let room = limit.saturating_sub(body.len()).min(content.len());
            body.extend_from_slice(&content[..room]);
        }
        stream.bodies[side as usize].cut |= frame.cut;
        stream.exchange.partial |= frame.cut;
        if header.has(END_STREAM) {
            self.end(header.stream, side, output);
        }
    }

    /// A frame of data whose header was not seen; the last one of a body may have ended its side.
    fn foreseen(&mut self, header: Header, frame: &Frame<'_>, output: &mut Output<'_>) {
        self.data(header, b"", &Frame { cut: true, ..*frame }, output);
        let Some(stream) = self.position(header.stream).map(|at| &self.streams[at]) else { return };
        let is_grpc = table::is_grpc(&stream.exchange);
        // An answer of gRPC ends with trailers.
        if stream.bodies[frame.side as usize].left(is_grpc) == 0 && (frame.side == Side::Client || !is_grpc) {
            self.end(header.stream, frame.side, output);
        }
    }

    fn end(&mut self, id: u32, side: Side, output: &mut Output<'_>) {
        let Some(at) = self.position(id) else { return };
        let stream = &mut self.streams[at];
        stream.ended[side as usize] = true;
        // An answer without errors may come before the request has ended; then the request ends with a reset, or never.
        if stream.ended == [true; 2]
            && let Some(stream) = self.streams.remove(at)
        {
            self.emit(stream, output);
        }
    }

    fn emit(&mut self, mut stream: Stream, output: &mut Output<'_>) {
        if stream.exchange.request.bytes == 0 {
            output.counts.unpaired_responses += 1;
            return output.pool.give(stream.exchange);
        }
        stream.exchange.partial |= self.missed[0] && stream.exchange.text(4).is_empty();
        if table::is_grpc(&stream.exchange) {
            for side in [Side::Client, Side::Server] {
                table::render_grpc(&mut stream.exchange, side, self.setup.body_bytes, &mut self.lines);
            }
        }
        output.emit(stream.exchange);
    }
}

fn extend(exchange: &mut Exchange, frame: &Frame<'_>) {
    match frame.side {
        Side::Client => exchange.request.extend(frame.span),
        Side::Server => exchange.response.extend(frame.span),
    }
}
