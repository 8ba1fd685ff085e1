//! Whether a buffer starts with an envelope or a segment, and whose.

use super::compression::lz4;
use super::frame::{COMPRESSED, EXECUTE, HEADER_BYTES, Header, QUERY, RESULT, STARTUP, Segment, crc32};
use crate::protocol::{Inference, Side};
use crate::reader::Reader;

/// Scores any buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    if let Some(segment) = Segment::read(bytes) {
        return of_segment(segment, bytes);
    }
    let Some(header) = Header::read_bare(bytes) else {
        let beginning =
            bytes.len() < HEADER_BYTES && bytes.first().is_some_and(|byte| (3..=5).contains(&(byte & 0x7f)));
        return Inference { score: if beginning { 5 } else { 0 }, side: None };
    };
    let (mut rest, mut envelopes) = (bytes, 0);
    while !rest.is_empty() {
        match Header::read(rest) {
            Some(next) if next.side == header.side && next.version == header.version => {
                rest = rest.get(HEADER_BYTES + next.length as usize..).unwrap_or_default();
                envelopes += 1;
            }
            Some(_) => return Inference::NO,
            None if rest.len() < HEADER_BYTES => break,
            None => return Inference::NO,
        }
    }
    let body = &bytes[HEADER_BYTES..];
    let certain = match header.opcode {
        STARTUP => body.windows(11).any(|part| part == b"CQL_VERSION"),
        QUERY if header.flags & COMPRESSED == 0 => {
            Reader::new(body).u32().is_some_and(|length| length < header.length) && body.get(4..12).is_some_and(is_text)
        }
        _ => envelopes > 1,
    };
    let whole = HEADER_BYTES + header.length as usize == bytes.len();
    let fits = match header.opcode {
        RESULT if header.flags == 0 => {
            body.starts_with(&[0, 0, 0]) && body.get(3).is_some_and(|kind| (1..=5).contains(kind))
        }
        EXECUTE if header.flags == 0 => body.starts_with(&[0, 16]),
        2 | 5 => header.length == 0,
        _ => whole,
    };
    let score = match (fits, certain, whole) {
        (_, true, _) => 97,
        (true, false, true) => 88,
        (true, false, false) => 82,
        (false, false, _) => 40,
    };
    Inference::of(header.side, score)
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte >= 9)
}

/// The checksum of the header makes it certain; who sent it is written inside.
fn of_segment(segment: Segment, bytes: &[u8]) -> Inference {
    let Some(payload) = bytes.get(segment.header..segment.header + segment.length) else {
        return Inference { score: 85, side: None };
    };
    let checksum = bytes.get(segment.header + segment.length..).and_then(|rest| rest.first_chunk::<4>());
    if checksum.is_some_and(|checksum| u32::from_le_bytes(*checksum) != crc32(payload)) {
        return Inference::NO;
    }
    let unpacked = segment.unpacked.and_then(|length| lz4(payload, length));
    let header = Header::read(unpacked.as_deref().unwrap_or(payload)).filter(|_| segment.whole);
    Inference { score: 97, side: header.map(|header| header.side) }
}

/// Whether a direction can be taken up again here.
pub(super) fn starts(side: Side, bytes: &[u8]) -> u8 {
    let found = infer(bytes);
    if found.side.is_some_and(|found| found != side) { 0 } else { found.score }
}
