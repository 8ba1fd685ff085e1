//! Prepared statements by number, and their parameters filled in.

use std::collections::HashMap;

use super::frame::number;
use crate::json;
use crate::pgsql::literal;
use crate::reader::Reader;

const STATEMENTS_MAX: usize = 512;

/// A prepared statement.
#[derive(Debug, Default)]
struct Statement {
    sql: Vec<u8>,
    /// Types of its parameters, as they were bound last.
    types: Vec<u16>,
    /// Parameters are sent apart from the execution.
    long_data: bool,
    /// Not all of it was seen.
    partial: bool,
}

/// What is prepared on a connection.
#[derive(Debug, Default)]
pub(super) struct Statements {
    by_number: HashMap<u32, Statement>,
    last: Option<u32>,
}

impl Statements {
    /// The server has given a statement its number.
    pub(super) fn prepared(&mut self, id: u32, sql: &[u8], partial: bool) {
        if self.by_number.len() >= STATEMENTS_MAX
            && let Some(old) = self.by_number.keys().next().copied()
        {
            self.by_number.remove(&old);
        }
        self.by_number.insert(id, Statement { sql: sql.to_vec(), partial, ..Statement::default() });
        self.last = Some(id);
    }

    /// Appends the statement that a packet executes; returns whether all of it is known.
    pub(super) fn execute(&mut self, body: &[u8], out: &mut Vec<u8>) -> bool {
        let mut reader = Reader::new(body);
        let (Some(id), Some(_)) = (reader.u32_le(), reader.take(5)) else { return false };
        let id = if id == u32::MAX { self.last.unwrap_or(id) } else { id };
        let Some(statement) = self.by_number.get_mut(&id) else { return false };
        let count = markers(&statement.sql).count();
        let values = if count == 0 { Some(Vec::new()) } else { statement.values(&mut reader, count) };
        let known = values.is_some() && !statement.long_data && !statement.partial;
        fill(&statement.sql, &values.unwrap_or_default(), out);
        known
    }

    /// A parameter is sent apart.
    pub(super) fn long_data(&mut self, body: &[u8]) {
        let id = Reader::new(body).u32_le().unwrap_or(0);
        if let Some(statement) = self.by_number.get_mut(&id) {
            statement.long_data = true;
        }
    }

    /// Parameters sent apart are forgotten.
    pub(super) fn reset(&mut self, body: &[u8]) {
        let id = Reader::new(body).u32_le().unwrap_or(0);
        if let Some(statement) = self.by_number.get_mut(&id) {
            statement.long_data = false;
        }
    }

    /// A statement is closed.
    pub(super) fn close(&mut self, body: &[u8]) {
        self.by_number.remove(&Reader::new(body).u32_le().unwrap_or(0));
    }

    /// Messages were missed: numbers are never used again, so that what is known holds, but for types.
    pub(super) fn missed(&mut self) {
        self.by_number.values_mut().for_each(|statement| statement.types.clear());
        self.last = None;
    }

    /// Another session begins.
    pub(super) fn clear(&mut self) {
        self.by_number.clear();
        self.last = None;
    }
}

impl Statement {
    fn values(&mut self, reader: &mut Reader<'_>, count: usize) -> Option<Vec<Vec<u8>>> {
        let nulls = reader.take(count.div_ceil(8))?;
        if reader.u8()? == 1 {
            let types: Option<Vec<u16>> = (0..count).map(|_| reader.u16_le()).collect();
            self.types = types?;
        }
        if self.types.len() != count {
            return None;
        }
        let mut values = Vec::new();
        for (index, kind) in self.types.iter().enumerate() {
            let mut out = Vec::new();
            if nulls[index / 8] >> (index % 8) & 1 == 1 {
                out.extend_from_slice(b"NULL");
            } else {
                value(reader, *kind, &mut out)?;
            }
            values.push(out);
        }
        Some(values)
    }
}

/// Appends a binary value as SQL.
fn value(reader: &mut Reader<'_>, kind: u16, out: &mut Vec<u8>) -> Option<()> {
    let unsigned = kind & 0x8000 != 0;
    let float = |value: f64| format!("{value}").into_bytes();
    match kind & 0xff {
        1 if unsigned => json::int(out, reader.u8()?.into()),
        1 => json::int(out, i64::from(reader.u8()? as i8)),
        2 | 13 if unsigned => json::int(out, reader.u16_le()?.into()),
        2 | 13 => json::int(out, i64::from(reader.u16_le()? as i16)),
        3 | 9 if unsigned => json::int(out, reader.u32_le()?.into()),
        3 | 9 => json::int(out, reader.i32_le()?.into()),
        8 if unsigned => out.extend_from_slice((reader.i64_le()? as u64).to_string().as_bytes()),
        8 => json::int(out, reader.i64_le()?),
        4 => out.extend_from_slice(f32::from_bits(reader.u32_le()?).to_string().as_bytes()),
        5 => out.extend_from_slice(&float(f64::from_bits(reader.i64_le()? as u64))),
        6 => out.extend_from_slice(b"NULL"),
        7 | 10 | 12 => date(reader, out)?,
        11 => time(reader, out)?,
        _ => {
            let length = usize::try_from(number(reader)?).ok()?;
            let text = reader.take(length)?;
            out.push(b'\'');
            let start = out.len();
            literal(out, text);
            // A text that looks like a number is one with quotes here.
            if out.get(start) == Some(&b'\'') {
                out.remove(start);
            } else {
                out.push(b'\'');
            }
        }
    }
    Some(())
}

fn date(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
    let length = usize::from(reader.u8()?);
    let mut part = Reader::new(reader.take(length)?);
    let (year, month, day) = (part.u16_le().unwrap_or(0), part.u8().unwrap_or(0), part.u8().unwrap_or(0));
    let mut text = format!("'{year:04}-{month:02}-{day:02}");
    if let Some([hour, minute, second]) = part.array::<3>() {
        text += &format!(" {hour:02}:{minute:02}:{second:02}");
    }
    if let Some(micros) = part.u32_le() {
        text += &format!(".{micros:06}");
    }
    out.extend_from_slice((text + "'").as_bytes());
    Some(())
}

fn time(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
    let length = usize::from(reader.u8()?);
    let mut part = Reader::new(reader.take(length)?);
    let (negative, days) = (part.u8().unwrap_or(0), part.u32_le().unwrap_or(0));
    let [hour, minute, second] = part.array::<3>().unwrap_or_default();
    let sign = if negative == 1 { "-" } else { "" };
    let hours = u64::from(days) * 24 + u64::from(hour);
    let mut text = format!("'{sign}{hours:02}:{minute:02}:{second:02}");
    if let Some(micros) = part.u32_le() {
        text += &format!(".{micros:06}");
    }
    out.extend_from_slice((text + "'").as_bytes());
    Some(())
}

/// Offsets of the question marks of a statement that stand for parameters.
fn markers(sql: &[u8]) -> impl Iterator<Item = usize> {
    let (mut quote, mut escaped) = (None, false);
    sql.iter().enumerate().filter_map(move |(at, &byte)| {
        let was_escaped = std::mem::take(&mut escaped);
        match (quote, byte) {
            (Some(b'\'' | b'"'), b'\\') if !was_escaped => escaped = true,
            (None, b'\'' | b'"' | b'`') => quote = Some(byte),
            (Some(open), _) if open == byte && !was_escaped => quote = None,
            (None, b'?') => return Some(at),
            (None | Some(_), _) => {}
        }
        None
    })
}

fn fill(sql: &[u8], values: &[Vec<u8>], out: &mut Vec<u8>) {
    let mut from = 0;
    for (at, value) in markers(sql).zip(values) {
        out.extend_from_slice(&sql[from..at]);
        out.extend_from_slice(value);
        from = at + 1;
    }
    out.extend_from_slice(&sql[from..]);
}
