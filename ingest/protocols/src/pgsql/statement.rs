//! Prepared statements and portals by name, and their parameters filled in.

use std::collections::HashMap;

use super::frame::text;
use crate::json;
use crate::reader::Reader;

const STATEMENTS_MAX: usize = 512;
const PORTALS_MAX: usize = 64;
const PARAMETERS_MAX: usize = 1 << 16;

/// A prepared statement.
#[derive(Debug, Default)]
struct Statement {
    sql: Vec<u8>,
    /// Types of its parameters, as far as the client says.
    types: Vec<u32>,
    /// It may have been replaced by another one of that name.
    doubtful: bool,
}

/// A statement with its parameters.
#[derive(Debug, Default, Clone)]
pub(super) struct Bound {
    pub(super) sql: Vec<u8>,
    /// It is not known in full.
    pub(super) doubtful: bool,
}

/// What is prepared on a connection.
#[derive(Debug, Default)]
pub(super) struct Statements {
    statements: HashMap<Vec<u8>, Statement>,
    portals: HashMap<Vec<u8>, Bound>,
}

impl Statements {
    /// Takes the body of a Parse; returns the statement.
    pub(super) fn parse<'a>(&mut self, body: &'a [u8], cut: bool) -> &'a [u8] {
        let mut reader = Reader::new(body);
        let (name, sql) = (text(&mut reader), text(&mut reader));
        let count = reader.u16().unwrap_or(0);
        let types = (0..count).map_while(|_| reader.u32()).collect();
        make_room(&mut self.statements, STATEMENTS_MAX);
        self.statements.insert(name.to_vec(), Statement { sql: sql.to_vec(), types, doubtful: cut });
        sql
    }

    /// Takes the body of a Bind; returns what is bound.
    pub(super) fn bind(&mut self, body: &[u8], cut: bool) -> Bound {
        let mut reader = Reader::new(body);
        let (portal, name) = (text(&mut reader), text(&mut reader));
        let unknown = Statement { doubtful: true, ..Statement::default() };
        let statement = self.statements.get(name).unwrap_or(&unknown);
        let mut sql = Vec::new();
        let whole = parameters(&mut reader, &statement.types).map(|values| fill(&statement.sql, &values, &mut sql));
        let bound = Bound { sql, doubtful: cut || statement.doubtful || whole.is_none() };
        make_room(&mut self.portals, PORTALS_MAX);
        self.portals.insert(portal.to_vec(), bound.clone());
        bound
    }

    /// What a portal runs.
    pub(super) fn portal(&self, name: &[u8]) -> Bound {
        self.portals.get(name).cloned().unwrap_or(Bound { doubtful: true, ..Bound::default() })
    }

    /// What a statement says.
    pub(super) fn statement(&self, name: &[u8]) -> Bound {
        let found = self.statements.get(name);
        found.map_or(Bound { doubtful: true, ..Bound::default() }, |statement| Bound {
            sql: statement.sql.clone(),
            doubtful: statement.doubtful,
        })
    }

    /// Messages were missed.
    pub(super) fn missed(&mut self) {
        self.portals.clear();
        self.statements.values_mut().for_each(|statement| statement.doubtful = true);
    }
}

fn make_room<V>(map: &mut HashMap<Vec<u8>, V>, max: usize) {
    if map.len() >= max
        && let Some(name) = map.keys().next().cloned()
    {
        map.remove(&name);
    }
}

/// Parameters as SQL; `None` when they are not all there.
fn parameters(reader: &mut Reader<'_>, types: &[u32]) -> Option<Vec<Vec<u8>>> {
    let count = usize::from(reader.u16()?);
    let formats: Vec<u16> = (0..count).map_while(|_| reader.u16()).collect();
    let count = usize::from(reader.u16()?).min(PARAMETERS_MAX);
    let mut values = Vec::new();
    for index in 0..count {
        let format = formats.get(index).or(if formats.len() == 1 { formats.first() } else { None }).copied();
        let length = reader.i32()?;
        let mut out = Vec::new();
        match usize::try_from(length) {
            Err(_) => out.extend_from_slice(b"NULL"),
            Ok(length) => {
                let value = reader.take(length)?;
                match format.unwrap_or(0) {
                    0 => literal(&mut out, value),
                    _ => binary(&mut out, value, types.get(index).copied().unwrap_or(0)),
                }
            }
        }
        values.push(out);
    }
    Some(values)
}

/// Appends a value as a literal: numbers bare, all else in quotes.
pub(crate) fn literal(out: &mut Vec<u8>, value: &[u8]) {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let number = digits.first().is_some_and(u8::is_ascii_digit)
        && digits.len() < 40
        && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if number {
        return out.extend_from_slice(value);
    }
    out.push(b'\'');
    for byte in value {
        if *byte == b'\'' {
            out.push(b'\'');
        }
        out.push(*byte);
    }
    out.push(b'\'');
}

fn binary(out: &mut Vec<u8>, value: &[u8], kind: u32) {
    let mut reader = Reader::new(value);
    match (kind, value.len()) {
        (16, 1) => out.extend_from_slice(if value[0] == 0 { b"false" } else { b"true" }),
        (21, 2) => json::int(out, reader.i16().unwrap_or(0).into()),
        (23 | 26, 4) => json::int(out, reader.i32().unwrap_or(0).into()),
        (20, 8) => json::int(out, reader.i64().unwrap_or(0)),
        (700, 4) => out.extend_from_slice(f32::from_bits(reader.u32().unwrap_or(0)).to_string().as_bytes()),
        (701, 8) => out.extend_from_slice(f64::from_bits(reader.u64().unwrap_or(0)).to_string().as_bytes()),
        (18 | 19 | 25 | 114 | 1042 | 1043, _) => literal(out, value),
        // What has no type is mostly text.
        (0, 1..) if value.iter().all(|byte| (32..127).contains(byte)) => literal(out, value),
        (2950, 16) => {
            out.push(b'\'');
            json::uuid(out, reader.array::<16>().as_ref().unwrap_or(&[0; 16]));
            out.push(b'\'');
        }
        _ => {
            out.extend_from_slice(b"'\\x");
            json::hex(out, value);
            out.push(b'\'');
        }
    }
}

/// Appends a statement with `$1` and so on replaced, but not in quotes.
fn fill(sql: &[u8], values: &[Vec<u8>], out: &mut Vec<u8>) {
    let (mut at, mut quote) = (0, None);
    while let Some(&byte) = sql.get(at) {
        at += 1;
        match (quote, byte) {
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (None, b'$') => {
                let digits = sql[at..].iter().take_while(|byte| byte.is_ascii_digit()).count().min(6);
                let number = sql[at..at + digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
                if let Some(value) = number.checked_sub(1).and_then(|index| values.get(index)) {
                    out.extend_from_slice(value);
                    at += digits;
                    continue;
                }
            }
            (None | Some(_), _) => {}
        }
        out.push(byte);
    }
}
