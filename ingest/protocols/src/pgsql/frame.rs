//! Messages of protocol 3: a type, a length, a body; those that open a connection have no type.

use crate::protocol::{Measure, Side};
use crate::reader::Reader;

pub(super) const CANCEL: u32 = 80_877_102;
pub(super) const SSL: u32 = 80_877_103;
pub(super) const GSS: u32 = 80_877_104;
/// The server takes no larger one.
const STARTUP_BYTES_MAX: u32 = 10_000;
const MESSAGE_BYTES_MAX: u32 = 1 << 30;

/// Measures a message; of its body at most `keep` bytes are wanted.
pub(super) fn measure(side: Side, bytes: &[u8], keep: usize) -> Measure {
    let mut reader = Reader::new(bytes);
    if side == Side::Client && bytes[0] == 0 {
        let (Some(length), Some(code)) = (reader.u32(), reader.u32()) else { return Measure::More };
        let fits = (8..=STARTUP_BYTES_MAX).contains(&length) && is_opening(code);
        let frame = Measure::Frame { length: length.into(), keep: length as usize };
        return if fits { frame } else { Measure::Invalid };
    }
    if !is_type(side, bytes[0]) {
        return Measure::Invalid;
    }
    reader.u8();
    let Some(length) = reader.u32() else { return Measure::More };
    if !is_length(side, bytes[0], length) {
        return Measure::Invalid;
    }
    let keep = match (side, bytes[0]) {
        (_, b'd') => 0,
        (Side::Client, b'p') => 0,
        _ => keep,
    };
    Measure::Frame { length: u64::from(length) + 1, keep: 5 + keep.min(length as usize - 4) }
}

pub(super) fn is_opening(code: u32) -> bool {
    matches!(code, CANCEL | SSL | GSS) || code >> 16 == 3 && code & 0xffff < 16
}

fn is_type(side: Side, kind: u8) -> bool {
    match side {
        Side::Client => b"QPBDESHCFXpdcf".contains(&kind),
        Side::Server => b"RKSZTDCIEN123ntsAVdGHWcv".contains(&kind),
    }
}

/// Whether a message of that type can have that length.
fn is_length(side: Side, kind: u8, length: u32) -> bool {
    match (side, kind) {
        (Side::Client, b'S' | b'H' | b'X' | b'c') => length == 4,
        (Side::Client, b'D' | b'C') => (6..1000).contains(&length),
        (Side::Client, b'E') => (9..1000).contains(&length),
        (Side::Server, b'Z') => length == 5,
        (Side::Server, b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c') => length == 4,
        (Side::Server, b'K') => (8..=264).contains(&length),
        (Side::Server, b'S' | b'R') => (6..20_000).contains(&length),
        (Side::Server, b'C') => (6..100).contains(&length),
        (Side::Server, b'E' | b'N') => (6..1_000_000).contains(&length),
        _ => (4..MESSAGE_BYTES_MAX).contains(&length),
    }
}

/// A text up to its zero byte, or up to the end.
pub(super) fn text<'a>(reader: &mut Reader<'a>) -> &'a [u8] {
    let rest = reader.rest();
    let length = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let found = reader.take(length).unwrap_or_default();
    reader.u8();
    found
}

/// A field of an error or notice.
pub(super) fn field(body: &[u8], wanted: u8) -> &[u8] {
    let mut reader = Reader::new(body);
    while let Some(kind @ 1..) = reader.u8() {
        let value = text(&mut reader);
        if kind == wanted {
            return value;
        }
    }
    b""
}
