//! Columns of `dns_events`.

use super::frame::{Header, Record, Walk};
use super::record::{write, write_kind, write_name};
use crate::exchange::Exchange;
use crate::json::{self, Object};
use crate::protocol::Side;

/// Questions or records of a section that are written out.
const WRITTEN_MAX: usize = 256;
const OPT: u16 = 41;

/// Sets the two columns of a side. `cut` says that the end of the message was not seen.
pub(super) fn set(exchange: &mut Exchange, side: Side, header: Header, message: &[u8]) {
    let first = 2 * side as usize;
    exchange.write_text(first, |out| write_header(out, header));
    exchange.write_text(first + 1, |out| write_body(out, side, header, message));
}

/// The header of a query that was never answered, and why.
pub(super) fn set_unanswered(exchange: &mut Exchange, why: &'static str) {
    exchange.note = why;
    exchange.failed = true;
}

fn write_header(out: &mut Vec<u8>, header: Header) {
    let [questions, answers, authorities, additionals] = header.counts;
    let mut object = Object::new(out);
    object.int("txid", header.id.into()).int("qr", header.bit(15)).int("opcode", header.opcode().into());
    object.int("aa", header.bit(10)).int("tc", header.bit(9)).int("rd", header.bit(8)).int("ra", header.bit(7));
    object.int("ad", header.bit(5)).int("cd", header.bit(4)).int("rcode", header.rcode().into());
    object.int("num_queries", questions.into()).int("num_answers", answers.into());
    object.int("num_auth", authorities.into()).int("num_addl", additionals.into()).end();
}

fn write_body(out: &mut Vec<u8>, side: Side, header: Header, message: &[u8]) {
    let mut walk = Walk::new(message);
    let mut object = Object::new(out);
    let [questions, sections @ ..] = header.counts;
    let asked = std::iter::from_fn(|| walk.question()).take(usize::from(questions));
    match side {
        Side::Client => {
            let mut written = 0;
            object.list("queries", asked.take(WRITTEN_MAX), |out, question| {
                written += 1;
                let mut inner = Object::new(out);
                write_name(inner.key("name"), message, question.name);
                write_kind(inner.key("type"), question.kind);
                inner.end();
            });
        }
        Side::Server => drop(asked.count()),
    }
    let mut edns = None;
    for (key, count) in ["answers", "authorities", "additionals"].iter().zip(sections) {
        let mut records = (0..count).map_while(|_| walk.record()).filter(|record| keep(record, &mut edns)).peekable();
        // Answers are there in every response, the other sections where they have something.
        if side == Side::Server && *key == "answers" || records.peek().is_some() {
            object.list(key, records.by_ref().take(WRITTEN_MAX), |out, record| write(out, message, &record));
        }
        records.for_each(drop);
    }
    if let Some(record) = edns {
        write_edns(object.key("edns"), header, &record);
    }
    object.end();
}

fn keep<'a>(record: &Record<'a>, edns: &mut Option<Record<'a>>) -> bool {
    if record.question.kind == OPT {
        *edns = Some(*record);
    }
    record.question.kind != OPT
}

/// RFC 6891: the fields of the pseudo-record mean other things.
fn write_edns(out: &mut Vec<u8>, header: Header, record: &Record<'_>) {
    let mut object = Object::new(out);
    let extended = i64::from(record.ttl >> 24) << 4 | i64::from(header.rcode());
    object.int("version", i64::from(record.ttl >> 16 & 255)).int("udp_size", record.question.class.into());
    object.int("do", i64::from(record.ttl >> 15 & 1)).int("rcode", extended);
    let mut reader = crate::reader::Reader::new(record.data);
    let options = std::iter::from_fn(|| {
        let (code, length) = (reader.u16()?, reader.u16()?);
        Some((code, reader.take(usize::from(length))?))
    });
    object.list("options", options, |out, (code, data)| {
        let mut inner = Object::new(out);
        inner.int("code", code.into());
        let data_out = inner.key("data");
        data_out.push(b'"');
        json::hex(data_out, data);
        data_out.push(b'"');
        inner.end();
    });
    object.end();
}
