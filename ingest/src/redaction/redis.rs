//! Redis without its values: keys and names stay, what is stored under them does not.

use super::REDACTED;

/// Commands of which even the first argument is a value.
const VALUES_ONLY: [&[u8]; 9] =
    [b"AUTH", b"ECHO", b"PING", b"EVAL", b"EVAL_RO", b"SCRIPT LOAD", b"FUNCTION LOAD", b"FUNCTION RESTORE", b"DEBUG"];
/// Replies that say nothing of a value.
const STATES: [&[u8]; 5] = [b"OK", b"PONG", b"QUEUED", b"<NULL>", b"[]"];

/// A column of `redis_events` with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Arguments,
    Reply,
}

impl Part {
    pub(super) fn of(table: &str, column: &str) -> Option<Self> {
        match (table, column) {
            ("redis_events", "req_args") => Some(Part::Arguments),
            ("redis_events", "resp") => Some(Part::Reply),
            _ => None,
        }
    }

    /// `command` is what the arguments belong to.
    pub(super) fn without_values(self, value: &[u8], command: &[u8]) -> Vec<u8> {
        match self {
            Part::Reply if STATES.contains(&value) => value.to_vec(),
            Part::Reply => REDACTED.to_vec(),
            Part::Arguments if VALUES_ONLY.contains(&command) => arguments(value, 0),
            Part::Arguments => arguments(value, 1),
        }
    }
}

/// A JSON array of texts of which the first `shown` are left.
fn arguments(array: &[u8], shown: usize) -> Vec<u8> {
    let mut out = vec![b'['];
    let mut rest = array.strip_prefix(b"[").unwrap_or(array);
    let mut count = 0;
    while let Some(length) = text(rest) {
        if count > 0 {
            out.push(b',');
        }
        if count < shown {
            out.extend_from_slice(&rest[..length]);
        } else {
            out.extend([&b"\""[..], REDACTED, b"\""].concat());
        }
        count += 1;
        rest = &rest[length..];
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
    out.push(b']');
    out
}

/// Bytes of the text in quotes at the beginning, to the end if it is cut.
fn text(rest: &[u8]) -> Option<usize> {
    let inside = rest.strip_prefix(b"\"")?;
    let mut at = 0;
    while let Some(byte) = inside.get(at) {
        match byte {
            b'"' => return Some(at + 2),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Some(rest.len())
}
