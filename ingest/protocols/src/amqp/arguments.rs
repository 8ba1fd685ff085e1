//! Arguments, tables and properties as JSON.

use crate::json::{self, Object};
use crate::reader::Reader;

/// How an argument is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Octet,
    Short,
    Long,
    LongLong,
    ShortText,
    LongText,
    /// A text that is not shown.
    Secret,
    Table,
    /// Flags in one octet, from the lowest on; the name has one word for each.
    Bits(u8),
    /// Bytes of no meaning.
    Skip(usize),
}

const DEPTH_MAX: u32 = 8;

/// Adds arguments to an object, as far as they go; says whether the flag `no_wait` was among them.
pub(super) fn write(object: &mut Object<'_>, kinds: &[(Kind, &str)], reader: &mut Reader<'_>) -> Option<bool> {
    let mut no_wait = false;
    for (kind, name) in kinds {
        match kind {
            Kind::Octet => drop(object.int(name, reader.u8()?.into())),
            Kind::Short => drop(object.int(name, reader.u16()?.into())),
            Kind::Long => drop(object.int(name, reader.u32()?.into())),
            Kind::LongLong => drop(object.int(name, reader.i64()?)),
            Kind::ShortText => drop(object.text(name, short_text(reader)?)),
            Kind::LongText => drop(object.text(name, long_text(reader)?)),
            Kind::Secret => drop(long_text(reader)?),
            Kind::Table => table(object.key(name), long_text(reader)?, 0),
            Kind::Bits(count) => {
                let flags = reader.u8()?;
                for (bit, name) in (0..*count).zip(name.split(' ')) {
                    let set = flags >> bit & 1 != 0;
                    no_wait |= set && name == "no_wait";
                    object.flag(name, set);
                }
            }
            Kind::Skip(count) => drop(reader.take(*count)?),
        }
    }
    Some(no_wait)
}

fn short_text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u8()?;
    reader.take(length.into())
}

/// A text or table with a long length, or as much of it as is there.
fn long_text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u32()? as usize;
    reader.take(length.min(reader.rest().len()))
}

fn table(out: &mut Vec<u8>, bytes: &[u8], depth: u32) {
    let mut reader = Reader::new(bytes);
    let mut object = Object::new(out);
    while let Some(name) = short_text(&mut reader).filter(|_| !reader.is_empty()) {
        if value(object.key_of(name), &mut reader, depth).is_none() {
            break;
        }
    }
    object.end();
}

/// Appends a field's value; `null` for one that is not known or not all there, after which nothing can be read.
fn value(out: &mut Vec<u8>, reader: &mut Reader<'_>, depth: u32) -> Option<()> {
    let start = out.len();
    let done = known(out, reader, depth);
    if done.is_none() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
    done
}

fn known(out: &mut Vec<u8>, reader: &mut Reader<'_>, depth: u32) -> Option<()> {
    let kind = reader.u8().filter(|_| depth < DEPTH_MAX)?;
    match kind {
        b't' => out.extend_from_slice(if reader.u8()? == 0 { b"false" } else { b"true" }),
        b'b' => json::int(out, i64::from(reader.u8()? as i8)),
        b'B' => json::int(out, reader.u8()?.into()),
        // RabbitMQ's letters, which differ from the specification's.
        b's' | b'U' => json::int(out, reader.i16()?.into()),
        b'u' => json::int(out, reader.u16()?.into()),
        b'I' => json::int(out, reader.i32()?.into()),
        b'i' => json::int(out, reader.u32()?.into()),
        b'l' | b'L' | b'T' => json::int(out, reader.i64()?),
        b'f' => float(out, f32::from_bits(reader.u32()?).into()),
        b'd' => float(out, f64::from_bits(reader.u64()?)),
        b'D' => {
            let scale = reader.u8()?;
            json::string(out, format!("{}e-{scale}", reader.i32()?).as_bytes());
        }
        b'S' => json::string(out, long_text(reader)?),
        b'x' => {
            out.push(b'"');
            json::hex(out, long_text(reader)?);
            out.push(b'"');
        }
        b'F' => table(out, long_text(reader)?, depth + 1),
        b'A' => {
            let mut items = Reader::new(long_text(reader)?);
            array(out, &mut items, depth + 1);
        }
        b'V' => out.extend_from_slice(b"null"),
        _ => return None,
    }
    Some(())
}

fn array(out: &mut Vec<u8>, items: &mut Reader<'_>, depth: u32) {
    out.push(b'[');
    let mut first = true;
    while !items.is_empty() {
        if !first {
            out.push(b',');
        }
        first = false;
        if value(out, items, depth).is_none() {
            break;
        }
    }
    out.push(b']');
}

fn float(out: &mut Vec<u8>, value: f64) {
    let text = format!("{value:?}");
    if value.is_finite() { out.extend_from_slice(text.as_bytes()) } else { json::string(out, text.as_bytes()) }
}

const PROPERTIES: [(&str, Kind); 14] = [
    ("content_type", Kind::ShortText),
    ("content_encoding", Kind::ShortText),
    ("headers", Kind::Table),
    ("delivery_mode", Kind::Octet),
    ("priority", Kind::Octet),
    ("correlation_id", Kind::ShortText),
    ("reply_to", Kind::ShortText),
    ("expiration", Kind::ShortText),
    ("message_id", Kind::ShortText),
    ("timestamp", Kind::LongLong),
    ("type", Kind::ShortText),
    ("user_id", Kind::ShortText),
    ("app_id", Kind::ShortText),
    ("cluster_id", Kind::ShortText),
];

/// Appends properties of content, which begin with flags, from the highest bit on.
pub(super) fn properties(out: &mut Vec<u8>, reader: &mut Reader<'_>) {
    let flags = reader.u16().unwrap_or(0);
    let mut object = Object::new(out);
    for (bit, (name, kind)) in (2..=15).rev().zip(&PROPERTIES) {
        if flags >> bit & 1 == 0 {
            continue;
        }
        if write(&mut object, &[(*kind, *name)], reader).is_none() {
            break;
        }
    }
    object.end();
}
