//! Whether a buffer starts with a frame. Two bytes of a head alone are weak; text that is text behind its mask, lengths
//! that end where the buffer ends and codes of a close are not.

use super::frame::{BINARY, CLOSE, CONTINUATION, Head, Read, TEXT};
use crate::protocol::Inference;

/// Frames that are looked at.
const FRAMES_MAX: usize = 8;
/// So much of a text is looked at.
const TEXT_BYTES: usize = 64;

/// At least this has what ends where the buffer ends.
pub(super) const ENDS_WITH_BUFFER: u8 = 40;

/// Scores the beginning of a buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    let first = match Head::read(bytes) {
        Read::Head(first) => first,
        Read::More => return Inference { score: 5, side: None },
        Read::Invalid => return Inference::NO,
    };
    let Some(frames) = frames(bytes, &first) else { return Inference::NO };
    let visible = &bytes[first.bytes..bytes.len().min(first.total().min(usize::MAX as u64) as usize)];
    let score = match first.opcode {
        CONTINUATION => 10,
        TEXT if !first.compressed => text(&first, visible, frames),
        CLOSE => close(&first, visible, frames),
        _ => sized(&first, frames),
    };
    Inference::of(first.side(), score)
}

/// How many frames the buffer has if they end where it ends, else 0. `None` if what follows the first is none.
fn frames(bytes: &[u8], first: &Head) -> Option<usize> {
    let (mut rest, mut head, mut open) = (bytes, *first, false);
    for count in 1..=FRAMES_MAX {
        let data = !head.is_control();
        // Nobody begins a message with nothing, or goes on with it; but zeros would read so.
        if !head.last && head.payload == 0 {
            return None;
        }
        if count > 1 && (head.side() != first.side() || data && open != (head.opcode == CONTINUATION)) {
            return None;
        }
        open = if data { !head.last } else { open };
        if head.total() >= rest.len() as u64 {
            return Some(if head.total() == rest.len() as u64 { count } else { 0 });
        }
        rest = &rest[head.total() as usize..];
        head = match Head::read(rest) {
            Read::Head(next) => next,
            Read::More => return Some(0),
            Read::Invalid => return None,
        };
    }
    Some(FRAMES_MAX)
}

fn text(head: &Head, visible: &[u8], frames: usize) -> u8 {
    let shown: Vec<u8> = head.unmasked(&visible[..visible.len().min(TEXT_BYTES)]).collect();
    // A character may be cut at the end.
    let whole = match std::str::from_utf8(&shown) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && shown.len() == TEXT_BYTES.min(visible.len()),
    };
    let control = shown.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace());
    match (shown.len(), frames) {
        _ if !whole || control => 0,
        (_, 2..) => 90,
        (12.., 1) => 90,
        (4.., 1) => 85,
        (16.., 0) => 82,
        (_, 0) => 30,
        _ => ENDS_WITH_BUFFER,
    }
}

fn close(head: &Head, visible: &[u8], frames: usize) -> u8 {
    let code: Vec<u8> = head.unmasked(&visible[..visible.len().min(2)]).collect();
    match code[..] {
        [] => sized(head, frames),
        [high, low] if (1000..5000).contains(&u16::from_be_bytes([high, low])) && frames == 1 => 90,
        _ => 0,
    }
}

/// Nothing to go by but lengths: those of two bytes and more are hardly right by chance.
fn sized(head: &Head, frames: usize) -> u8 {
    match frames {
        0 => 10,
        1 if head.opcode == BINARY && head.payload > 125 => 85,
        1 => 45,
        _ if head.payload > 0 => 85,
        _ => 60,
    }
}
