//! Whether a buffer starts with a record.

use super::frame::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, CLIENT_HELLO, HANDSHAKE, HEADER_BYTES, SERVER_HELLO, record,
};
use crate::protocol::{Inference, Side};

/// Scores the beginning of a buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    let Some((kind, length)) = record(bytes) else {
        let begins = bytes.len() < HEADER_BYTES && matches!(bytes, [20..=24] | [20..=24, 3, ..]);
        return Inference { score: if begins { 10 } else { 0 }, side: None };
    };
    let rest = &bytes[HEADER_BYTES..];
    let whole = rest.len() == length || rest.get(length..).is_some_and(|next| record(next).is_some());
    match (kind, rest) {
        (HANDSHAKE, [CLIENT_HELLO, 0, _, _, 3, ..]) => Inference::of(Side::Client, 98),
        (HANDSHAKE, [SERVER_HELLO, 0, _, _, 3, ..]) => Inference::of(Side::Server, 98),
        (HANDSHAKE, []) => Inference { score: 60, side: None },
        (CHANGE_CIPHER_SPEC, [1, ..]) => Inference { score: 85, side: None },
        (APPLICATION_DATA | HANDSHAKE | ALERT, _) if whole => Inference { score: 85, side: None },
        (APPLICATION_DATA, _) if rest.len() < length => Inference { score: 70, side: None },
        _ => Inference { score: 30, side: None },
    }
}
