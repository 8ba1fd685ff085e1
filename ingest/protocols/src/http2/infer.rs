//! Whether a buffer starts with the preface or with frames.

use super::frame::{CONTINUATION, DATA, END_HEADERS, HEADER_BYTES, HEADERS, Header, PREFACE, SETTINGS};
use crate::protocol::{Inference, Side};

/// At most, for frames that either side may send: good enough only when nothing better comes.
const UNSIDED: u8 = 70;

/// Scores the beginning of a buffer. In the middle of a connection it is no use to know the protocol without knowing who
/// asks, except of settings, which come first.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    let found = frames(bytes);
    let is_unsided = found.side.is_none() && Header::read(bytes).is_some_and(|first| first.kind != SETTINGS);
    if is_unsided { Inference { score: found.score.min(UNSIDED), ..found } } else { found }
}

/// Scores the beginning of a buffer as frames of whichever side.
pub(super) fn frames(bytes: &[u8]) -> Inference {
    let common = bytes.len().min(PREFACE.len());
    if common > 0 && bytes[..common] == PREFACE[..common] {
        let score = if common == PREFACE.len() { 100 } else { 10 + common as u8 * 3 };
        return Inference::of(Side::Client, score);
    }
    let Some(first) = Header::read(bytes) else {
        let begins = bytes.len() > 3 && bytes[3] <= 9 && bytes[0] == 0 && !bytes.is_empty();
        return Inference { score: if begins { 5 } else { 0 }, side: None };
    };
    if !first.is_sound() {
        return Inference::NO;
    }
    let (mut frames, mut rest, mut side) = (0_u8, bytes, None);
    while let Some(header) = Header::read(rest) {
        if header.is_sound() && header.kind == HEADERS {
            side = side.or_else(|| sender(header.content(rest)));
        }
        if !header.is_sound() {
            return Inference { score: if frames > 1 { 40 } else { 0 }, side };
        }
        let Some(after) = rest.get(HEADER_BYTES + header.length as usize..) else { break };
        frames = frames.saturating_add(1);
        rest = after;
    }
    let ends = rest.is_empty();
    let score = match first.kind {
        SETTINGS if first.length > 0 && !settings_are_known(first.content(bytes)) => 0,
        SETTINGS if ends => 96,
        SETTINGS => 90,
        HEADERS if side.is_some() && ends => 96,
        HEADERS if side.is_some() && frames > 0 => 88,
        HEADERS if side.is_some() && first.has(END_HEADERS) && first.stream < 1 << 20 => 82,
        HEADERS | CONTINUATION if ends => 82,
        DATA if ends && frames > 1 => 85,
        DATA | HEADERS | CONTINUATION => 40,
        10.. => 20,
        _ if ends => 85,
        _ if frames > 0 => 82,
        _ => 20,
    };
    Inference { score: if side.is_some() && ends { score.max(88) } else { score }, side }
}

fn settings_are_known(content: &[u8]) -> bool {
    content.chunks_exact(6).all(|setting| setting[0] == 0 && (1..=9).contains(&setting[1]) || setting[0] >= 0x0a)
}

/// Who sends a header block that begins so: pseudo headers come first.
fn sender(block: &[u8]) -> Option<Side> {
    // A block may begin with a change of the table's size.
    let at = block.iter().take(3).take_while(|byte| **byte & 0xe0 == 0x20).count();
    // Go says the authority first, which is in the dynamic table from the second request on; the next one tells.
    let told_before = block[at..].iter().take(4).take_while(|byte| (0xbe..0xff).contains(*byte)).count();
    match block.get(at + told_before)? {
        0x81..=0x87 | 0x41..=0x44 | 0x01..=0x04 | 0x11..=0x14 => Some(Side::Client),
        0x88..=0x8e | 0x48 | 0x08 | 0x18 => Some(Side::Server),
        _ => None,
    }
}
