//! Whether a buffer is a message: the header's fields that are constant, and all that the counts claim.

use super::frame::{HEADER_BYTES, Header, Walk};
use super::record::kind_name;
use crate::protocol::{Inference, Side};

const OPT: u16 = 41;
/// A message of more questions or records is not taken for one.
const RECORDS_MAX: usize = 2048;

/// Scores the beginning of a stream: a length, then a message.
pub(super) fn stream(bytes: &[u8]) -> Inference {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else {
        return Inference { score: u8::from(bytes.len() == 1), side: None };
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < HEADER_BYTES + 5 {
        return Inference::NO;
    }
    if rest.len() < HEADER_BYTES {
        return Inference { score: 5, side: None };
    }
    message(&rest[..rest.len().min(length)])
}

/// Scores a message, whole or cut.
pub(super) fn message(bytes: &[u8]) -> Inference {
    let Some(header) = Header::read(bytes) else { return Inference::NO };
    let side = if header.is_response() { Side::Server } else { Side::Client };
    let [questions, answers, authorities, additionals] = header.counts;
    let records = usize::from(answers) + usize::from(authorities) + usize::from(additionals);
    let opcode_fits = matches!(header.opcode(), 0 | 1 | 2 | 4 | 5 | 6);
    // The reserved bit is zero.
    if !opcode_fits || header.bit(6) != 0 || records > RECORDS_MAX || usize::from(questions) > RECORDS_MAX {
        return Inference::NO;
    }
    let asks = !header.is_response();
    if asks && (header.rcode() != 0 || header.bit(7) != 0 || questions == 0 && header.opcode() == 0 && records == 0) {
        return Inference::NO;
    }
    if questions == 0 && records == 0 {
        // Errors of servers that could not read the query.
        let error = header.rcode() != 0 && bytes.len() == HEADER_BYTES;
        return Inference::of(side, if error { 40 } else { 0 });
    }
    let mut walk = Walk::new(bytes);
    let mut known = true;
    for seen in 0..questions {
        let Some(question) = walk.question() else { return cut(side, known && seen > 0, questions) };
        known &= kind_name(question.kind).is_some() && is_class(question.class);
    }
    for _ in 0..records {
        let Some(record) = walk.record() else { return cut(side, known && questions > 0, questions) };
        let question = record.question;
        known &= question.kind > 0 && (question.kind == OPT || is_class(question.class));
    }
    let whole = walk.at == bytes.len();
    match (known, whole, questions) {
        (true, true, 1) => Inference::of(side, 97),
        (true, true, _) => Inference::of(side, 90),
        (true, false, 1) => Inference::of(side, 70),
        (true | false, _, _) => Inference::of(side, 20),
    }
}

/// The end is not there: because it was not copied, or because there is none.
fn cut(side: Side, question_seen: bool, questions: u16) -> Inference {
    Inference::of(side, if question_seen && questions == 1 { 85 } else { 0 })
}

fn is_class(class: u16) -> bool {
    // The highest bit has a meaning in multicast.
    matches!(class & 0x7fff, 1 | 3 | 4 | 254 | 255)
}
