//! Columns of `pgsql_events`.

use super::frame::{field, text};
use crate::exchange::Exchange;
use crate::json;
use crate::reader::Reader;

pub(super) const COMMAND: usize = 0;
pub(super) const REQUEST: usize = 1;
pub(super) const RESPONSE: usize = 2;

/// Parameters of a session, as `name=value`.
pub(super) fn set_startup(exchange: &mut Exchange, body: &[u8]) {
    exchange.write_text(REQUEST, |out| {
        let mut reader = Reader::new(body);
        let start = out.len();
        while !reader.is_empty() {
            let (name, value) = (text(&mut reader), text(&mut reader));
            if name.is_empty() {
                break;
            }
            if out.len() > start {
                out.push(b' ');
            }
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend_from_slice(value);
        }
    });
}

/// The next line of an answer, if there is room for it.
fn line(exchange: &mut Exchange, limit: usize) -> Option<&mut Vec<u8>> {
    let out = exchange.body(RESPONSE, 1);
    if out.len() >= limit {
        return None;
    }
    if !out.is_empty() {
        out.push(b'\n');
    }
    Some(out)
}

/// Appends a command's tag or another text.
pub(super) fn add_text(exchange: &mut Exchange, value: &[u8], limit: usize) {
    if let Some(out) = line(exchange, limit.saturating_add(1)) {
        out.extend_from_slice(value);
    }
}

/// Appends names of columns.
pub(super) fn add_names(exchange: &mut Exchange, body: &[u8], limit: usize) {
    let Some(out) = line(exchange, limit) else { return };
    let mut reader = Reader::new(body);
    let count = reader.u16().unwrap_or(0);
    for index in 0..count {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(text(&mut reader));
        if reader.take(18).is_none() {
            break;
        }
    }
}

/// Appends values of a row; those that are no text are in hexadecimal digits.
pub(super) fn add_row(exchange: &mut Exchange, body: &[u8], limit: usize) {
    let Some(out) = line(exchange, limit) else { return };
    let mut reader = Reader::new(body);
    let count = reader.u16().unwrap_or(0);
    for index in 0..count {
        if index > 0 {
            out.push(b',');
        }
        let Some(length) = reader.i32() else { break };
        let Ok(length) = usize::try_from(length) else {
            out.extend_from_slice(b"NULL");
            continue;
        };
        let value = reader.take(length.min(reader.rest().len())).unwrap_or_default();
        if value.iter().all(|byte| *byte >= 32 || matches!(byte, b'\t' | b'\n')) {
            out.extend_from_slice(value);
        } else {
            out.extend_from_slice(b"\\x");
            json::hex(out, value);
        }
    }
}

/// Marks a request failed, with severity, code and message of the error.
pub(super) fn set_error(exchange: &mut Exchange, body: &[u8], limit: usize) {
    exchange.failed = true;
    if let Some(out) = line(exchange, limit.saturating_add(1)) {
        for (index, kind) in [b'S', b'C', b'M'].into_iter().enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(field(body, kind));
        }
    }
}
