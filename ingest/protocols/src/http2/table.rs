//! Columns of `http_events`, and the messages of gRPC.

use super::protobuf;
use crate::exchange::Exchange;
use crate::protocol::Side;

const CONTENT_TYPE: usize = 2;
const METHOD: usize = 4;
const PATH: usize = 5;
const STATUS: usize = 9;
const MESSAGE: usize = 10;

/// Columns of a side: headers, body, size of the body.
pub(super) const fn columns(side: Side) -> [usize; 3] {
    match side {
        Side::Client => [3, 6, 7],
        Side::Server => [8, 11, 12],
    }
}

/// What every row has.
pub(super) fn begin(exchange: &mut Exchange) {
    exchange.set_int(0, 2);
    exchange.set_int(1, 0);
}

/// Sets what a header says by itself. Returns whether it is shown among the headers.
pub(super) fn header(exchange: &mut Exchange, name: &[u8], value: &[u8]) -> bool {
    match name {
        b":method" => exchange.set_text(METHOD, value),
        b":path" => exchange.set_text(PATH, value),
        b":status" => {
            let status = std::str::from_utf8(value).ok().and_then(|status| status.parse().ok()).unwrap_or(0);
            exchange.set_int(STATUS, status);
            exchange.failed |= status >= 400;
        }
        b"content-type" if value.starts_with(b"application/grpc") => exchange.set_int(CONTENT_TYPE, 2),
        b"content-type" if value.starts_with(b"application/json") && exchange.int(CONTENT_TYPE) == 0 => {
            exchange.set_int(CONTENT_TYPE, 1);
        }
        b"grpc-status" => exchange.failed |= value != b"0",
        b"grpc-message" => exchange.set_text(MESSAGE, value),
        _ => {}
    }
    true
}

/// Whether the exchange is a gRPC call.
pub(super) fn is_grpc(exchange: &Exchange) -> bool {
    exchange.int(CONTENT_TYPE) == 2
}

/// Interim responses are followed by the one that counts.
pub(super) fn is_interim(exchange: &Exchange) -> bool {
    (100..200).contains(&exchange.int(STATUS))
}

/// Replaces the captured messages of a gRPC body by their text: each behind its length, compressed ones as they are. `raw`
/// is room for them.
pub(super) fn render_grpc(exchange: &mut Exchange, side: Side, limit: usize, raw: &mut Vec<u8>) {
    let body = exchange.body(columns(side)[1], side as usize);
    raw.clear();
    raw.append(body);
    let mut rest = raw.as_slice();
    while let Some(([compressed, length @ ..], after)) = rest.split_first_chunk::<5>() {
        let length = (u32::from_be_bytes(*length) as usize).min(after.len());
        let (message, after) = after.split_at(length);
        if !body.is_empty() {
            body.push(b'\n');
        }
        match compressed {
            0 => protobuf::text(message, body),
            _ => body.extend_from_slice(b"(compressed)"),
        }
        rest = after;
        if body.len() > limit {
            body.truncate(limit);
            return;
        }
    }
}
