//! Parts of bodies: texts, identifiers, types, values.

use crate::json;
use crate::reader::Reader;

const DEPTH_MAX: u32 = 8;

/// A text with a short length.
pub(super) fn string<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u16()?;
    reader.take(length.into())
}

/// A text with a long length, or as much of it as is there.
pub(super) fn long_string<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(reader.i32()?).ok()?;
    reader.take(length.min(reader.rest().len()))
}

/// Bytes that can be null.
pub(super) fn bytes<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a [u8]>> {
    match usize::try_from(reader.i32()?) {
        Ok(length) => reader.take(length).map(Some),
        Err(_) => Some(None),
    }
}

/// Reads a type; returns its number, and passes over what it is made of.
pub(super) fn kind(reader: &mut Reader<'_>, depth: u32) -> Option<u16> {
    let found = reader.u16()?;
    if depth > DEPTH_MAX {
        return None;
    }
    let inner = match found {
        0x00 => {
            string(reader)?;
            0
        }
        0x20 | 0x22 => 1,
        0x21 => 2,
        0x30 => {
            string(reader)?;
            string(reader)?;
            let fields = reader.u16()?;
            for _ in 0..fields {
                string(reader)?;
                kind(reader, depth + 1)?;
            }
            0
        }
        0x31 => reader.u16()?,
        _ => 0,
    };
    for _ in 0..inner {
        kind(reader, depth + 1)?;
    }
    Some(found)
}

/// Names and types of columns.
#[derive(Debug, Default)]
pub(super) struct Metadata<'a> {
    pub(super) names: Vec<&'a [u8]>,
    pub(super) types: Vec<u16>,
    pub(super) more_pages: bool,
}

const COLUMNS_MAX: i32 = 4096;

/// Metadata of rows, or (`of_statement`) of a prepared statement's parameters in a version.
pub(super) fn metadata<'a>(reader: &mut Reader<'a>, of_statement: Option<u8>) -> Option<Metadata<'a>> {
    let (flags, count) = (reader.i32()?, reader.i32()?);
    if of_statement.is_some_and(|version| version >= 4) {
        let keys = reader.i32()?.clamp(0, COLUMNS_MAX);
        reader.take(2 * keys as usize)?;
    }
    let mut found = Metadata { more_pages: flags & 2 != 0, ..Metadata::default() };
    if flags & 2 != 0 {
        bytes(reader)?;
    }
    if flags & 8 != 0 {
        string(reader)?;
    }
    if flags & 4 != 0 {
        return Some(found);
    }
    let global = flags & 1 != 0;
    if global {
        string(reader)?;
        string(reader)?;
    }
    for _ in 0..count.clamp(0, COLUMNS_MAX) {
        if !global {
            string(reader)?;
            string(reader)?;
        }
        found.names.push(string(reader)?);
        found.types.push(kind(reader, 0)?);
    }
    Some(found)
}

/// Appends a value as CQL; a type of 0 is not known.
pub(super) fn literal(out: &mut Vec<u8>, value: Option<&[u8]>, kind: u16) {
    let Some(value) = value else { return out.extend_from_slice(b"NULL") };
    let mut reader = Reader::new(value);
    let text = matches!(kind, 0x01 | 0x0a | 0x0d);
    match (kind, value.len()) {
        (0x04, 1) => out.extend_from_slice(if value[0] == 0 { b"false" } else { b"true" }),
        (0x14, 1) => json::int(out, i64::from(value[0] as i8)),
        (0x13, 2) => json::int(out, reader.i16().unwrap_or(0).into()),
        (0x09, 4) => json::int(out, reader.i32().unwrap_or(0).into()),
        (0x02 | 0x05 | 0x0b | 0x12, 8) => json::int(out, reader.i64().unwrap_or(0)),
        (0x08, 4) => out.extend_from_slice(f32::from_bits(reader.u32().unwrap_or(0)).to_string().as_bytes()),
        (0x07, 8) => out.extend_from_slice(f64::from_bits(reader.u64().unwrap_or(0)).to_string().as_bytes()),
        (0x0c | 0x0f, 16) => json::uuid(out, reader.array::<16>().as_ref().unwrap_or(&[0; 16])),
        (_, 1..) if text || kind == 0 && value.iter().all(|byte| (32..127).contains(byte)) => quoted(out, value),
        (_, 0) if text => out.extend_from_slice(b"''"),
        _ => {
            out.extend_from_slice(b"0x");
            json::hex(out, value);
        }
    }
}

fn quoted(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'\'');
    for byte in value {
        if *byte == b'\'' {
            out.push(b'\'');
        }
        out.push(*byte);
    }
    out.push(b'\'');
}

/// Appends a statement with its question marks, but not those in quotes, replaced.
pub(super) fn fill(out: &mut Vec<u8>, cql: &[u8], values: &[Option<&[u8]>], types: &[u16]) {
    let (mut quote, mut next) = (None, 0);
    for &byte in cql {
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'?') if next < values.len() => {
                literal(out, values[next], types.get(next).copied().unwrap_or(0));
                next += 1;
                continue;
            }
            (None | Some(_), _) => {}
        }
        out.push(byte);
    }
}
