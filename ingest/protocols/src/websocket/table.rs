//! Columns of `websocket_events`.

use super::frame::{CLOSE, Head, TEXT};
use crate::exchange::Exchange;
use crate::protocol::Side;

const PATH: usize = 0;
const SENDER: usize = 1;
const OPCODE: usize = 2;
const FRAGMENTS: usize = 3;
const COMPRESSED: usize = 4;
const BODY_SIZE: usize = 5;
pub(super) const BODY: usize = 6;
const CLOSE_CODE: usize = 7;

/// Codes of an end as planned: done, and going away.
const CLOSED_WELL: std::ops::RangeInclusive<u16> = 1000..=1001;

/// What the first frame of a message says; later ones have opcode 0, as has a message whose beginning was not seen.
pub(super) fn begin(exchange: &mut Exchange, path: &[u8], side: Side, head: &Head) {
    exchange.set_text(PATH, path);
    let sender: &[u8] = match side {
        Side::Client => b"client",
        Side::Server => b"server",
    };
    exchange.set_text(SENDER, sender);
    exchange.set_int(OPCODE, head.opcode.into());
    exchange.set_int(COMPRESSED, head.compressed.into());
}

/// Another frame of the message; `payload` is the beginning of its payload, kept up to `limit` bytes a message.
pub(super) fn extend(exchange: &mut Exchange, head: &Head, payload: &[u8], limit: usize) {
    exchange.set_int(FRAGMENTS, exchange.int(FRAGMENTS).saturating_add(1));
    let size = i64::try_from(head.payload).unwrap_or(i64::MAX);
    exchange.set_int(BODY_SIZE, exchange.int(BODY_SIZE).saturating_add(size));
    let mut payload = head.unmasked(payload);
    if head.opcode == CLOSE {
        let (Some(high), Some(low)) = (payload.next(), payload.next()) else { return };
        let code = u16::from_be_bytes([high, low]);
        exchange.set_int(CLOSE_CODE, code.into());
        exchange.failed = !CLOSED_WELL.contains(&code);
    }
    let body = exchange.body(BODY, 0);
    let room = limit.saturating_sub(body.len());
    body.extend(payload.take(room));
}

/// Whether the payload of a message in progress is text that was not compressed.
pub(super) fn is_readable(exchange: &Exchange) -> bool {
    exchange.int(OPCODE) == i64::from(TEXT) && exchange.int(COMPRESSED) == 0
}
