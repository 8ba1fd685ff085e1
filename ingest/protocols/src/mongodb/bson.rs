//! BSON documents as JSON text. A document that is cut off ends where its last element does.

use crate::json::{self, Object};
use crate::reader::Reader;
use crate::redaction::HIDDEN;

const DEPTH_MAX: u32 = 32;

/// An element of a document. The value of a text or document may be cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) kind: u8,
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

/// What is left of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a>(Reader<'a>);

/// Elements of the document at the beginning of `bytes`.
pub(super) fn elements(bytes: &[u8]) -> Elements<'_> {
    let end = length(bytes).unwrap_or(0).min(bytes.len());
    Elements(Reader::new(bytes.get(4..end).unwrap_or_default()))
}

/// Bytes of the document at the beginning of `bytes`, as it says itself.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let length = Reader::new(bytes).i32_le()?;
    usize::try_from(length).ok().filter(|length| *length >= 5)
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let kind = self.0.u8().filter(|kind| *kind != 0)?;
        let name = text(&mut self.0)?;
        let rest = self.0.rest();
        let size = size(kind, rest)?;
        let divisible = matches!(kind, 2..=4);
        let value = self.0.take(if divisible { size.min(rest.len()) } else { size })?;
        Some(Element { kind, name, value })
    }
}

/// A text that ends with a zero.
pub(super) fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let end = reader.rest().iter().position(|byte| *byte == 0)?;
    let found = reader.take(end + 1)?;
    Some(&found[..end])
}

fn size(kind: u8, rest: &[u8]) -> Option<usize> {
    let prefixed = |extra: usize| usize::try_from(Reader::new(rest).i32_le()?).ok()?.checked_add(extra);
    match kind {
        0x06 | 0x0a | 0x7f | 0xff => Some(0),
        0x08 => Some(1),
        0x10 => Some(4),
        0x01 | 0x09 | 0x11 | 0x12 => Some(8),
        0x07 => Some(12),
        0x13 => Some(16),
        0x02 | 0x0d | 0x0e => prefixed(4),
        0x0c => prefixed(16),
        0x05 => prefixed(5),
        0x03 | 0x04 | 0x0f => prefixed(0).filter(|size| *size >= 5),
        0x0b => {
            let mut reader = Reader::new(rest);
            let lengths = text(&mut reader)?.len() + text(&mut reader)?.len();
            Some(lengths + 2)
        }
        _ => None,
    }
}

/// Appends the document at the beginning of `bytes`.
pub(super) fn document(out: &mut Vec<u8>, bytes: &[u8]) {
    nested(out, bytes, 0);
}

/// Adds the elements of a document to an object.
pub(super) fn members(object: &mut Object<'_>, bytes: &[u8]) {
    each(object, bytes, 0);
}

fn each(object: &mut Object<'_>, bytes: &[u8], depth: u32) {
    let mut secret: Option<&[u8]> = None;
    for (at, element) in elements(bytes).enumerate() {
        if at == 0 {
            secret = secret_of(element.name);
        }
        let out = object.key_of(element.name);
        if secret == Some(element.name) { json::string(out, HIDDEN) } else { value(out, element, depth + 1) }
    }
}

/// The element that proves who somebody is, in a document that begins with an element of that name.
fn secret_of(first: &[u8]) -> Option<&'static [u8]> {
    match first {
        b"saslStart" | b"saslContinue" | b"conversationId" => Some(b"payload"),
        b"createUser" | b"updateUser" => Some(b"pwd"),
        b"authenticate" => Some(b"key"),
        _ => None,
    }
}

fn nested(out: &mut Vec<u8>, bytes: &[u8], depth: u32) {
    let mut object = Object::new(out);
    each(&mut object, bytes, depth);
    object.end();
}

fn value(out: &mut Vec<u8>, element: Element<'_>, depth: u32) {
    let mut reader = Reader::new(element.value);
    match element.kind {
        0x03 | 0x04 if depth > DEPTH_MAX => out.extend_from_slice(b"null"),
        0x01 => double(out, f64::from_bits(reader.i64_le().unwrap_or(0) as u64)),
        0x02 | 0x0d | 0x0e => json::string(out, prefixed(element.value)),
        0x03 => nested(out, element.value, depth),
        0x04 => json::list(out, elements(element.value), |out, item| value(out, item, depth + 1)),
        0x05 => wrapped(out, "$binary", |out| json::hex(out, element.value.get(5..).unwrap_or_default())),
        0x07 => wrapped(out, "$oid", |out| json::hex(out, element.value)),
        0x08 => out.extend_from_slice(if element.value == [0] { b"false" } else { b"true" }),
        0x09 => Object::new(out).int("$date", reader.i64_le().unwrap_or(0)).end(),
        0x0b => wrapped(out, "$regex", |out| json::content(out, text(&mut reader).unwrap_or_default())),
        0x10 => json::int(out, reader.i32_le().unwrap_or(0).into()),
        0x11 => {
            let (increment, seconds) = (reader.u32_le().unwrap_or(0), reader.u32_le().unwrap_or(0));
            Object::new(out).int("$timestamp", seconds.into()).int("increment", increment.into()).end();
        }
        0x12 => json::int(out, reader.i64_le().unwrap_or(0)),
        0x13 => wrapped(out, "$decimal128", |out| json::hex(out, element.value)),
        0x7f => out.extend_from_slice(b"{\"$maxKey\":1}"),
        0xff => out.extend_from_slice(b"{\"$minKey\":1}"),
        0x0c => wrapped(out, "$dbPointer", |out| json::content(out, prefixed(element.value))),
        _ => out.extend_from_slice(b"null"),
    }
}

fn wrapped(out: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    let mut object = Object::new(out);
    let inside = object.key(name);
    inside.push(b'"');
    write(inside);
    inside.push(b'"');
    object.end();
}

fn double(out: &mut Vec<u8>, value: f64) {
    let text = format!("{value:?}");
    if value.is_finite() { out.extend_from_slice(text.as_bytes()) } else { json::string(out, text.as_bytes()) }
}

/// A text with its length and a zero behind, or as much of it as is there.
fn prefixed(bytes: &[u8]) -> &[u8] {
    let length = Reader::new(bytes).i32_le().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let end = (length + 3).min(bytes.len());
    bytes.get(4..end).unwrap_or_default()
}

/// A number or truth value as a number.
pub(super) fn number(element: Element<'_>) -> Option<f64> {
    let mut reader = Reader::new(element.value);
    match element.kind {
        0x01 => reader.i64_le().map(|bits| f64::from_bits(bits as u64)),
        0x08 => reader.u8().map(f64::from),
        0x10 => reader.i32_le().map(f64::from),
        0x12 => reader.i64_le().map(|value| value as f64),
        _ => None,
    }
}
