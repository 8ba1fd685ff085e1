//! Whether a buffer starts with a message. Sizes and types alone are weak; contexts and statuses are not.

use super::frame::{DISCARDED, DISPATCH, ERROR, HEAD_BYTES, Head, INIT, LEASE, REQUEST};
use crate::protocol::{Inference, Side};
use crate::reader::Reader;

/// Scores the beginning of a buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    if bytes.len() < HEAD_BYTES {
        return Inference { score: if bytes[0] == 0 { 5 } else { 0 }, side: None };
    }
    let Some(head) = Head::read(bytes) else { return Inference::NO };
    let whole = bytes.len() == head.total();
    let end = bytes.len().min(head.total());
    let mut body = Reader::new(&bytes[HEAD_BYTES..end]);
    match head.kind {
        _ if head.tag > TAG_LIKELY || head.fragment => Inference { score: 20, side: None },
        INIT | -68 => {
            let side = if head.kind == INIT { Side::Client } else { Side::Server };
            let score = if init(&mut body) == Some(true) { 97 } else { 0 };
            Inference::of(side, score)
        }
        DISPATCH if head.tag > 0 => scored(Side::Client, dispatch(&mut body), whole),
        -2 if head.tag > 0 => scored(Side::Server, reply(&mut body), whole),
        REQUEST if head.tag > 0 => scored(Side::Client, request(&mut body), false),
        -1 if head.tag > 0 && matches!(body.u8(), Some(0..=2)) => Inference::of(Side::Server, 50),
        DISCARDED => Inference::of(Side::Client, 40),
        LEASE if head.tag == 0 && body.u8() == Some(0) => Inference::of(Side::Server, 85),
        ERROR if head.tag > 0 => Inference::of(Side::Server, 40),
        // Pings and drains go both ways.
        -66..=-64 | 64 | 65 => Inference { score: if head.tag == 1 && whole { 60 } else { 30 }, side: None },
        _ => Inference::NO,
    }
}

/// Whether a body begins as one of its type does; the end of one whose first fragments were missed does not.
pub(super) fn begins(head: Head, body: &[u8]) -> bool {
    let mut reader = Reader::new(body);
    match head.kind {
        DISPATCH => dispatch(&mut reader).is_some(),
        -2 => reply(&mut reader).is_some(),
        _ => true,
    }
}

/// Small tags are used again; others are not to be expected.
const TAG_LIKELY: u32 = 0xffff;

fn scored(side: Side, seen: Option<u32>, whole: bool) -> Inference {
    match seen {
        // Names that are texts tell the most.
        Some(1..) => Inference::of(side, 96),
        Some(0) => Inference::of(side, if whole { 82 } else { 60 }),
        None => Inference::NO,
    }
}

/// A version and pairs of texts.
fn init(body: &mut Reader<'_>) -> Option<bool> {
    if !(1..=2).contains(&body.u16()?) {
        return Some(false);
    }
    let Some(length) = body.u32() else { return Some(body.is_empty()) };
    Some((1..64).contains(&length) && body.rest().iter().take(length as usize).all(u8::is_ascii_graphic))
}

/// Contexts that were seen whole or in part and have names such as `com.twitter.finagle.Deadline`.
fn contexts(body: &mut Reader<'_>) -> Option<u32> {
    let count = body.u16().filter(|count| *count <= 64)?;
    let mut seen = 0;
    for _ in 0..count {
        let Some(length) = body.u16() else { break };
        let shown = &body.rest()[..body.rest().len().min(length.into())];
        if length == 0 || !shown.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        seen += u32::from(shown.len() > 3);
        let Some(value) = body.take(length.into()).and_then(|_| body.u16()) else { return Some(seen) };
        if body.take(value.into()).is_none() {
            return Some(seen);
        }
    }
    Some(seen)
}

fn dispatch(body: &mut Reader<'_>) -> Option<u32> {
    let seen = contexts(body)?;
    let Some(length) = body.u16() else { return Some(seen) };
    let shown = &body.rest()[..body.rest().len().min(length.into())];
    let path = shown.first() == Some(&b'/') && shown.iter().all(u8::is_ascii_graphic);
    if length > 0 && !path && !shown.is_empty() {
        return None;
    }
    let Some(entries) = body.take(length.into()).and_then(|_| body.u16()) else { return Some(seen) };
    (entries <= 256).then_some(seen + u32::from(path && length > 3))
}

fn reply(body: &mut Reader<'_>) -> Option<u32> {
    body.u8().filter(|status| *status <= 2)?;
    contexts(body)
}

/// The keys of a request are a trace's id and its flags.
fn request(body: &mut Reader<'_>) -> Option<u32> {
    let count = body.u8().filter(|count| *count <= 4)?;
    if count == 0 {
        return Some(0);
    }
    let (key, length) = (body.u8()?, body.u8()?);
    match (key, length) {
        (1, 24) => Some(1),
        (2, 1) => Some(0),
        _ => None,
    }
}
