//! Whether a buffer starts with the protocol's header or a frame.

use super::frame::{BODY, END, HEAD_BYTES, HEADER, Head, METHOD, PROTOCOL};
use super::method::{self, Sender};
use crate::protocol::{Inference, Side};
use crate::reader::Reader;

/// Scores the beginning of a buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    if bytes.starts_with(PROTOCOL) {
        return Inference::of(Side::Client, 99);
    }
    if bytes.len() < HEAD_BYTES + 4 {
        let plausible = PROTOCOL.starts_with(bytes) || matches!(bytes.first(), Some(1..=3 | 8));
        let heartbeat = Head::read(bytes).is_some_and(|head| head.size == 0) && bytes.get(HEAD_BYTES) == Some(&END);
        let score = if heartbeat { 70 } else { 10 * u8::from(plausible) };
        return Inference { score, side: None };
    }
    let Some(head) = Head::read(bytes) else { return Inference::NO };
    let ended = match bytes.get(head.total() - 1) {
        Some(&END) => true,
        Some(_) => return Inference::NO,
        None => false,
    };
    match head.kind {
        METHOD => of_method(head, &bytes[HEAD_BYTES..], ended),
        HEADER if bytes[HEAD_BYTES..HEAD_BYTES + 4] == [0, 60, 0, 0] => {
            Inference { score: if ended { 85 } else { 70 }, side: None }
        }
        BODY => Inference { score: if ended { 50 } else { 5 }, side: None },
        HEADER => Inference::NO,
        _ => Inference { score: if ended { 70 } else { 0 }, side: None },
    }
}

fn of_method(head: Head, payload: &[u8], ended: bool) -> Inference {
    let mut reader = Reader::new(payload);
    let numbers = reader.u16().zip(reader.u16());
    let Some(method) = numbers.and_then(|(class, number)| method::find(class, number)) else { return Inference::NO };
    // Only what concerns the whole connection is on channel 0.
    if (method.class == 10) != (head.channel == 0) {
        return Inference::NO;
    }
    let score = if ended { 97 } else { 82 };
    let side = match method.sender {
        Sender::Client => Some(Side::Client),
        Sender::Server => Some(Side::Server),
        Sender::Both => None,
    };
    Inference { score, side }
}
