//! Whether a buffer is a chain of messages, and whose.

use super::frame::{field, is_opening, measure};
use crate::protocol::{Inference, Measure, Side};

/// Scores any buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    let (client, server) = (chain(Side::Client, bytes), chain(Side::Server, bytes));
    match client.cmp(&server) {
        std::cmp::Ordering::Less => Inference::of(Side::Server, server),
        std::cmp::Ordering::Greater => Inference::of(Side::Client, client),
        std::cmp::Ordering::Equal => Inference { score: client, side: None },
    }
}

/// Scores a buffer as messages of a side.
pub(super) fn chain(side: Side, bytes: &[u8]) -> u8 {
    if bytes.is_empty() {
        return 0;
    }
    if side == Side::Client && bytes[0] == 0 {
        return opening(bytes);
    }
    let (mut rest, mut messages, mut sure) = (bytes, 0, false);
    while !rest.is_empty() {
        match measure(side, rest, usize::MAX >> 16) {
            Measure::Frame { length, .. } if length <= rest.len() as u64 => {
                let (message, next) = rest.split_at(length as usize);
                if !is_body(side, message) {
                    return 0;
                }
                sure |= is_sure(side, message);
                messages += 1;
                rest = next;
            }
            Measure::Frame { .. } if messages == 0 => return beginning(side, rest),
            Measure::Frame { .. } => return 82,
            Measure::More => return if messages > 0 { 80 } else { 10 },
            Measure::Elide { .. } | Measure::Invalid => return 0,
        }
    }
    match (sure, messages) {
        (true, _) => 97,
        (false, 1) => 82,
        (false, _) => 90,
    }
}

fn opening(bytes: &[u8]) -> u8 {
    let Some(([a, b, c, d], rest)) = bytes.split_first_chunk::<4>() else { return 5 };
    let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    let Some(code) = rest.first_chunk::<4>() else { return 5 };
    if !(8..=10_000).contains(&length) || !is_opening(u32::from_be_bytes(*code)) {
        return 0;
    }
    match bytes.len() {
        whole if whole == length => 98,
        _ => 60,
    }
}

/// Whether a whole message can have that body.
fn is_body(side: Side, message: &[u8]) -> bool {
    let body = &message[5..];
    match (side, message[0]) {
        (Side::Client, b'Q') => body.ends_with(&[0]) && body.iter().filter(|byte| **byte == 0).count() == 1,
        (Side::Client, b'D' | b'C') => matches!(body[0], b'S' | b'P') && body.ends_with(&[0]),
        (Side::Client, b'E') => body.len() >= 5 && body.iter().position(|byte| *byte == 0) == Some(body.len() - 5),
        (Side::Server, b'Z') => matches!(body[0], b'I' | b'T' | b'E'),
        (Side::Server, b'C') => body.ends_with(&[0]) && body[0].is_ascii_uppercase(),
        (Side::Server, b'E' | b'N') => body[0] == b'S' && body.ends_with(&[0]),
        (Side::Server, b'S') => body.ends_with(&[0]) && body.iter().filter(|byte| **byte == 0).count() == 2,
        (Side::Server, b'R') => body.starts_with(&[0, 0, 0]),
        _ => true,
    }
}

/// Scores the beginning of a long message, of which little but text can be told.
fn beginning(side: Side, bytes: &[u8]) -> u8 {
    let content = &bytes[5.min(bytes.len())..];
    let printable = content.iter().all(|byte| matches!(byte, 9 | 10 | 13 | 32..));
    let short = bytes.get(1) == Some(&0);
    match (side, bytes[0]) {
        (Side::Client, b'Q') if !printable => 0,
        (Side::Client, b'Q') if short && content.len() > 16 => 85,
        (Side::Server, b'E' | b'N') if content.first().is_some_and(|byte| *byte != b'S') => 0,
        (Side::Server, b'E' | b'N') if short && content.len() > 16 => 82,
        _ if short => 40,
        _ => 10,
    }
}

fn is_sure(side: Side, message: &[u8]) -> bool {
    match (side, message[0]) {
        (Side::Client, kind) => matches!(kind, b'Q' | b'E') || kind == b'B' && message.len() > 10,
        (Side::Server, b'E' | b'N') => !field(&message[5..], b'C').is_empty(),
        (Side::Server, kind) => matches!(kind, b'Z' | b'C'),
    }
}
