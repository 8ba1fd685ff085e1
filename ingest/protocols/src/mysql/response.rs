//! What an answer consists of, packet by packet.

use super::frame::{
    BINLOG_DUMP, BINLOG_DUMP_GTID, CHANGE_USER, CONNECT, FIELD_LIST, STATISTICS, STMT_FETCH, STMT_PREPARE, number,
};
use crate::reader::Reader;

const MORE_RESULTS: u16 = 0x0008;
const CURSOR_EXISTS: u16 = 0x0040;

/// What comes next in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expect {
    /// The beginning, of an answer or of another result of it.
    #[default]
    First,
    /// So many descriptions of columns.
    Columns(u64),
    /// The end of the descriptions, or a row where they have none.
    AfterColumns,
    Rows,
    /// Descriptions of parameters and columns of a prepared statement.
    Prepared(u32),
    /// The client's file.
    File,
    /// An answer that is no packet known here follows, for good.
    Stream,
}

/// What a packet of an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Part of an answer that goes on.
    Part,
    /// A statement was prepared under this number; whether more packets follow.
    Prepared(u32, bool),
    /// A row.
    Row,
    /// A result set is complete; whether the answer goes on.
    Rows(bool),
    /// Nothing but success; whether the answer goes on.
    Ok(bool),
    /// A text is the answer.
    Text(&'a [u8]),
    /// An error with its message.
    Error(&'a [u8]),
    /// It cannot be here.
    Wrong,
}

/// Takes a packet of the answer to `command`. `closed` is whether descriptions end with a packet of their own, as far as
/// that is known.
pub(super) fn step<'a>(
    expect: &mut Expect,
    closed: &mut Option<bool>,
    command: u8,
    payload: &'a [u8],
    length: usize,
) -> Step<'a> {
    let Some(&first) = payload.first() else { return Step::Wrong };
    if first == 0xff && !matches!(expect, Expect::Columns(_) | Expect::Prepared(_)) {
        return Step::Error(message(payload));
    }
    match *expect {
        Expect::First => begin(expect, command, payload, length),
        Expect::Columns(left) => {
            *expect = if left > 1 { Expect::Columns(left - 1) } else { Expect::AfterColumns };
            Step::Part
        }
        Expect::AfterColumns if first == 0xfe && length == 5 => {
            *closed = Some(true);
            *expect = Expect::Rows;
            if status(payload, length) & CURSOR_EXISTS != 0 { Step::Rows(false) } else { Step::Part }
        }
        Expect::AfterColumns | Expect::Rows => {
            if *expect == Expect::AfterColumns {
                *closed = Some(false);
            }
            *expect = Expect::Rows;
            if first != 0xfe || length >= 0xff_ffff {
                return Step::Row;
            }
            end_of_rows(expect, payload, length)
        }
        Expect::Prepared(left) => {
            if first == 0xfe && length == 5 {
                *closed = Some(true);
                return if left == 0 { Step::Ok(false) } else { Step::Part };
            }
            *expect = Expect::Prepared(left.saturating_sub(1));
            if left > 1 || *closed == Some(true) { Step::Part } else { Step::Ok(false) }
        }
        Expect::File | Expect::Stream => Step::Wrong,
    }
}

fn end_of_rows<'a>(expect: &mut Expect, payload: &[u8], length: usize) -> Step<'a> {
    let more = status(payload, length) & MORE_RESULTS != 0;
    if more {
        *expect = Expect::First;
    }
    Step::Rows(more)
}

fn begin<'a>(expect: &mut Expect, command: u8, payload: &'a [u8], length: usize) -> Step<'a> {
    let first = payload[0];
    match command {
        STATISTICS => return Step::Text(payload),
        STMT_PREPARE if first == 0 => return prepared(expect, payload),
        CONNECT | CHANGE_USER if matches!(first, 1 | 0xfe) => return Step::Part,
        BINLOG_DUMP | BINLOG_DUMP_GTID => {
            *expect = Expect::Stream;
            return Step::Ok(false);
        }
        FIELD_LIST if first != 0xfe => return Step::Part,
        STMT_FETCH if first != 0xfe => {
            *expect = Expect::Rows;
            return Step::Row;
        }
        FIELD_LIST | STMT_FETCH => return end_of_rows(expect, payload, length),
        _ => {}
    }
    match first {
        0 if length >= 7 => Step::Ok(status(payload, length) & MORE_RESULTS != 0),
        0xfe if length < 9 => Step::Ok(false),
        0xfb => {
            *expect = Expect::File;
            Step::Part
        }
        0 | 0xfe => Step::Wrong,
        _ => {
            let mut reader = Reader::new(payload);
            let Some(count @ 1..=4096) = number(&mut reader) else { return Step::Wrong };
            // MariaDB says behind it whether descriptions follow.
            *expect = match reader.rest() {
                [0] => Expect::AfterColumns,
                [] | [1] => Expect::Columns(count),
                _ => return Step::Wrong,
            };
            Step::Part
        }
    }
}

fn prepared<'a>(expect: &mut Expect, payload: &[u8]) -> Step<'a> {
    let mut reader = Reader::new(&payload[1..]);
    let (Some(id), Some(columns), Some(parameters)) = (reader.u32_le(), reader.u16_le(), reader.u16_le()) else {
        return Step::Wrong;
    };
    let left = u32::from(columns) + u32::from(parameters);
    *expect = Expect::Prepared(left);
    Step::Prepared(id, left > 0)
}

/// Flags of the server's status in an OK or EOF packet.
fn status(payload: &[u8], length: usize) -> u16 {
    let mut reader = Reader::new(&payload[1..]);
    if payload[0] == 0xfe && length == 5 {
        reader.u16_le();
    } else {
        number(&mut reader);
        number(&mut reader);
    }
    reader.u16_le().unwrap_or(0)
}

/// The message of an error packet, without its number.
fn message(payload: &[u8]) -> &[u8] {
    let text = payload.get(3..).unwrap_or_default();
    if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text }
}
