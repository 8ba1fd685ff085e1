//! Columns of `cql_events`.

use std::collections::HashMap;

use super::body::{Metadata, bytes, fill, long_string, metadata, string};
use super::frame::{BATCH, ERROR, EVENT, EXECUTE, Header, PAYLOAD, PREPARE, QUERY, RESULT, STARTUP, TRACED, WARNED};
use crate::exchange::Exchange;
use crate::json::{self, Object};
use crate::reader::Reader;

pub(super) const ASKED: usize = 0;
pub(super) const REQUEST: usize = 1;
pub(super) const ANSWERED: usize = 2;
pub(super) const ANSWER: usize = 3;

const STATEMENTS_MAX: usize = 1024;
const VALUES_MAX: u16 = 4096;
const ROWS: i32 = 2;
const KEYSPACE: i32 = 3;
const PREPARED: i32 = 4;
const SCHEMA_CHANGE: i32 = 5;

/// A prepared statement.
#[derive(Debug)]
struct Statement {
    cql: Vec<u8>,
    types: Vec<u16>,
    partial: bool,
}

/// Statements by id, as the server gave them.
#[derive(Debug, Default)]
pub(super) struct Statements {
    by_id: HashMap<Vec<u8>, Statement>,
}

type Values<'a> = Vec<Option<&'a [u8]>>;

impl Statements {
    fn keep(&mut self, id: &[u8], statement: Statement) {
        if self.by_id.len() >= STATEMENTS_MAX
            && let Some(old) = self.by_id.keys().next().cloned()
        {
            self.by_id.remove(&old);
        }
        self.by_id.insert(id.to_vec(), statement);
    }

    /// Sets what is asked; returns whether all of it is known.
    pub(super) fn set_request(&self, exchange: &mut Exchange, header: Header, body: &[u8]) -> bool {
        exchange.set_int(ASKED, header.opcode.into());
        let mut known = true;
        exchange.write_text(REQUEST, |out| known = self.request(out, header, body).is_some());
        known
    }

    fn request(&self, out: &mut Vec<u8>, header: Header, body: &[u8]) -> Option<()> {
        let mut reader = Reader::new(body);
        if header.flags & PAYLOAD != 0 {
            payload(&mut reader)?;
        }
        match header.opcode {
            STARTUP => options(out, &mut reader),
            PREPARE => out.extend_from_slice(long_string(&mut reader)?),
            QUERY => {
                let cql = long_string(&mut reader)?;
                let values = values(&mut reader, header.version).unwrap_or_default();
                fill(out, cql, &values, &[]);
            }
            EXECUTE => {
                let statement = self.by_id.get(string(&mut reader)?)?;
                if header.version >= 5 {
                    string(&mut reader)?;
                }
                let values = values(&mut reader, header.version)?;
                fill(out, &statement.cql, &values, &statement.types);
                return (!statement.partial).then_some(());
            }
            BATCH => return self.batch(out, &mut reader),
            _ => {}
        }
        Some(())
    }

    fn batch(&self, out: &mut Vec<u8>, reader: &mut Reader<'_>) -> Option<()> {
        let (_, count) = (reader.u8()?, reader.u16()?);
        let start = out.len();
        for _ in 0..count {
            let unknown = Statement { cql: Vec::new(), types: Vec::new(), partial: true };
            let text;
            let statement = if reader.u8()? == 0 {
                text = Statement { cql: long_string(reader)?.to_vec(), types: Vec::new(), partial: false };
                &text
            } else {
                self.by_id.get(string(reader)?).unwrap_or(&unknown)
            };
            if out.len() > start {
                out.extend_from_slice(b"; ");
            }
            let count = reader.u16()?.min(VALUES_MAX);
            let values: Option<Values<'_>> = (0..count).map(|_| bytes(reader)).collect();
            fill(out, &statement.cql, &values?, &statement.types);
            if statement.partial {
                return None;
            }
        }
        Some(())
    }

    /// Sets what is answered, and keeps what was prepared.
    pub(super) fn set_answer(&mut self, exchange: &mut Exchange, header: Header, body: &[u8]) {
        exchange.set_int(ANSWERED, header.opcode.into());
        exchange.failed = header.opcode == ERROR;
        let mut reader = Reader::new(body);
        let warnings = extras(&mut reader, header.flags);
        if warnings.is_some_and(|warnings| warnings > 0) {
            exchange.note = "warned";
        }
        if header.opcode == RESULT && reader.rest().starts_with(&PREPARED.to_be_bytes()) {
            reader.i32();
            self.prepared(exchange, header.version, &mut reader);
        } else if warnings.is_some() {
            exchange.write_text(ANSWER, |out| answer(out, header, &mut reader).unwrap_or_default());
        }
    }

    fn prepared(&mut self, exchange: &Exchange, version: u8, reader: &mut Reader<'_>) {
        let Some(id) = string(reader) else { return };
        if version >= 5 {
            string(reader);
        }
        let found = metadata(reader, Some(version)).unwrap_or_default();
        let cql = exchange.text(REQUEST).to_vec();
        if exchange.request.bytes > 0 {
            self.keep(id, Statement { cql, types: found.types, partial: exchange.partial });
        }
    }
}

fn payload(reader: &mut Reader<'_>) -> Option<()> {
    let count = reader.u16()?;
    for _ in 0..count {
        string(reader)?;
        bytes(reader)?;
    }
    Some(())
}

/// Passes over what stands before an answer; returns how many warnings there are.
fn extras(reader: &mut Reader<'_>, flags: u8) -> Option<u16> {
    if flags & TRACED != 0 {
        reader.take(16)?;
    }
    let mut warnings = 0;
    if flags & WARNED != 0 {
        warnings = reader.u16()?;
        for _ in 0..warnings {
            string(reader)?;
        }
    }
    if flags & PAYLOAD != 0 {
        payload(reader)?;
    }
    Some(warnings)
}

/// Options of a session, as `name=value`.
fn options(out: &mut Vec<u8>, reader: &mut Reader<'_>) {
    let count = reader.u16().unwrap_or(0);
    for index in 0..count {
        let (Some(name), Some(value)) = (string(reader), string(reader)) else { break };
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name);
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// The value of an option of a session.
pub(super) fn option<'a>(body: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut reader = Reader::new(body);
    let count = reader.u16()?;
    for _ in 0..count {
        let (name, value) = (string(&mut reader)?, string(&mut reader)?);
        if name == wanted {
            return Some(value);
        }
    }
    None
}

/// Values of a query or execution, behind its consistency.
fn values<'a>(reader: &mut Reader<'a>, version: u8) -> Option<Values<'a>> {
    reader.u16()?;
    let flags = if version >= 5 { reader.u32()? } else { reader.u8()?.into() };
    if flags & 1 == 0 {
        return Some(Vec::new());
    }
    let count = reader.u16()?.min(VALUES_MAX);
    let named = flags & 0x40 != 0;
    (0..count)
        .map(|_| {
            if named {
                string(reader)?;
            }
            bytes(reader)
        })
        .collect()
}

fn answer(out: &mut Vec<u8>, header: Header, reader: &mut Reader<'_>) -> Option<()> {
    match header.opcode {
        ERROR => {
            let code = reader.i32()?;
            out.extend_from_slice(format!("0x{code:04x} ").as_bytes());
            out.extend_from_slice(string(reader)?);
        }
        RESULT => match reader.i32()? {
            ROWS => {
                let Metadata { names, more_pages, .. } = metadata(reader, None)?;
                let rows = reader.i32()?;
                let mut object = Object::new(out);
                object.list("columns", names, json::string).int("rows", rows.into());
                object.flag("more_pages", more_pages).end();
            }
            KEYSPACE => out.extend_from_slice(string(reader)?),
            SCHEMA_CHANGE => texts(out, reader),
            _ => {}
        },
        EVENT => texts(out, reader),
        0x03 => out.extend_from_slice(string(reader)?),
        _ => {}
    }
    Some(())
}

/// Appends short texts with blanks between them, as long as there are some.
fn texts(out: &mut Vec<u8>, reader: &mut Reader<'_>) {
    let mut first = true;
    while let Some(text) = string(reader).filter(|text| text.iter().all(|byte| (32..127).contains(byte))) {
        if !first {
            out.push(b' ');
        }
        first = false;
        out.extend_from_slice(text);
    }
}
