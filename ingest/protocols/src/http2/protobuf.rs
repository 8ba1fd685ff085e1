//! Protobuf messages as text without their schema: numbers for names, and the most likely reading of each field.

use crate::json;
use crate::reader::Reader;

const DEPTH_MAX: u32 = 8;

/// Appends the fields of a message, as far as they were captured.
pub(super) fn text(message: &[u8], out: &mut Vec<u8>) {
    fields(message, out, 0);
}

fn fields(message: &[u8], out: &mut Vec<u8>, depth: u32) {
    let mut reader = Reader::new(message);
    while let Some(tag) = varint(&mut reader) {
        let mark = out.len();
        if mark > 0 && !matches!(out.last(), Some(b'\n' | b' ')) {
            out.push(b' ');
        }
        json::int(out, (tag >> 3) as i64);
        let read = match tag & 7 {
            0 => varint(&mut reader).map(|value| number(out, value as i64)),
            1 => reader.take(8).map(|bytes| fixed(out, bytes)),
            5 => reader.take(4).map(|bytes| fixed(out, bytes)),
            2 => varint(&mut reader).map(|length| {
                let length = usize::try_from(length).unwrap_or(usize::MAX).min(reader.rest().len());
                content(out, reader.take(length).unwrap_or_default(), depth);
            }),
            _ => None,
        };
        if read.is_none() {
            return out.truncate(mark);
        }
    }
}

fn number(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(b": ");
    json::int(out, value);
}

fn fixed(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b": 0x");
    bytes.iter().rev().for_each(|byte| json::hex(out, &[*byte]));
}

fn content(out: &mut Vec<u8>, bytes: &[u8], depth: u32) {
    let printable = || std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(|c| c.is_control() && c != '\n'));
    let is_ascii_text = bytes.iter().fold(true, |all, byte| all & (0x20..0x7f).contains(byte));
    if !is_ascii_text && !printable() && depth < DEPTH_MAX && is_message(bytes) {
        out.extend_from_slice(b" { ");
        fields(bytes, out, depth + 1);
        out.extend_from_slice(b" }");
        return;
    }
    out.extend_from_slice(b": ");
    json::string(out, bytes);
}

fn is_message(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let Some(tag) = varint(&mut reader) else { return false };
        let fits = match tag & 7 {
            _ if tag >> 3 == 0 || tag >> 3 > 1 << 20 => false,
            0 => varint(&mut reader).is_some(),
            1 => reader.take(8).is_some(),
            5 => reader.take(4).is_some(),
            2 => varint(&mut reader)
                .and_then(|length| reader.take(usize::try_from(length).unwrap_or(usize::MAX)))
                .is_some(),
            _ => false,
        };
        if !fits {
            return false;
        }
    }
    true
}

fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let mut value = 0;
    for shift in 0..10 {
        let byte = reader.u8()?;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
