//! CQL by stream: opcodes, lengths, statements and errors. tshark does not know the segments of version 5, so those
//! connections are read here from the bytes of their streams.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;

use super::capture::{Capture, Part};
use super::{Said, number, scalar, text};

const EVENT: &str = "12";
const STARTUP: u8 = 1;
const READY: u8 = 2;
const COMPRESSED: &str = "1";

/// Every request is a row, and every event.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found: Vec<Said> = Vec::new();
    let mut waiting = BTreeMap::new();
    let mut segmented = Vec::new();
    for (connection, [client, server]) in capture.streams()? {
        if client.first() == Some(&5) {
            segmented.push(connection);
            found.extend(paired(connection, &envelopes(&client, STARTUP)?, &envelopes(&server, READY)?));
        }
    }
    for Part { connection, from_client, what } in capture.layers("cql")? {
        if segmented.contains(&connection) {
            continue;
        }
        let opcode = scalar(&what["cql.opcode"]);
        let bytes = scalar(&what["cql.message_length"]).parse::<u64>().unwrap_or(0) + 9;
        let compressed = scalar(&what["cql.flags_tree"]["cql.flags.compression"]) == COMPRESSED;
        let stream = (connection, scalar(&what["cql.stream"]));
        if from_client {
            let statement = what["Query"]["cql.string"].as_str().or(what["Message PREPARE"]["cql.string"].as_str());
            let statement = statement.filter(|_| !compressed).unwrap_or_default();
            waiting.insert(stream, found.len());
            found.push(Said { connection, request: format!("{opcode} {bytes} {statement}"), answer: String::new() });
        } else if opcode == EVENT {
            found.push(Said { connection, request: "event".into(), answer: format!("{opcode} {bytes} ") });
        } else if let Some(at) = waiting.remove(&stream) {
            let error = what["Message ERROR"]["cql.string"].as_str().filter(|_| !compressed);
            found[at].answer = format!("{opcode} {bytes} {}", error.unwrap_or_default());
        }
    }
    Ok(found)
}

/// An envelope of version 5, and the bytes that it took on the wire.
struct Envelope {
    stream: i16,
    opcode: u8,
    body: Vec<u8>,
    bytes: usize,
}

/// The envelopes of a stream, which has segments behind the one with opcode `last`.
fn envelopes(mut stream: &[u8], last: u8) -> Result<Vec<Envelope>> {
    let mut found = Vec::new();
    while found.last().is_none_or(|envelope: &Envelope| envelope.opcode != last) && !stream.is_empty() {
        let (envelope, length) = envelope(stream).context("an envelope")?;
        stream = &stream[length..];
        found.push(envelope);
    }
    let (mut held, mut overhead) = (Vec::new(), 0);
    while let [a, b, c, ..] = *stream {
        let length = (u32::from_le_bytes([a, b, c, 0]) & 0x1_ffff) as usize;
        held.extend_from_slice(stream.get(6..6 + length).context("a segment")?);
        stream = stream.get(6 + length + 4..).context("a segment's end")?;
        overhead += 10;
        while let Some((mut envelope, length)) = envelope(&held) {
            held.drain(..length);
            envelope.bytes += std::mem::take(&mut overhead);
            found.push(envelope);
        }
    }
    Ok(found)
}

fn envelope(bytes: &[u8]) -> Option<(Envelope, usize)> {
    let [_, _, s, t, opcode, l @ ..] = *bytes.first_chunk::<9>()?;
    let length = 9 + u32::from_be_bytes(l) as usize;
    let body = bytes.get(9..length)?.to_vec();
    Some((Envelope { stream: i16::from_be_bytes([s, t]), opcode, body, bytes: length }, length))
}

fn paired(connection: u16, client: &[Envelope], server: &[Envelope]) -> Vec<Said> {
    let mut answers: Vec<&Envelope> = server.iter().collect();
    let mut found = Vec::new();
    for asked in client {
        let Some(at) = answers.iter().position(|answer| answer.stream == asked.stream) else { continue };
        let answered = answers.remove(at);
        let request = format!("{} {} {}", asked.opcode, asked.bytes, statement(asked));
        let answer = format!("{} {} {}", answered.opcode, answered.bytes, error(answered));
        found.push(Said { connection, request, answer });
    }
    for event in answers.iter().filter(|answer| answer.stream < 0) {
        found.push(Said { connection, request: "event".into(), answer: format!("12 {} ", event.bytes) });
    }
    found
}

fn statement(envelope: &Envelope) -> String {
    let length = envelope.body.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let text = envelope.body.get(4..4 + length).filter(|_| matches!(envelope.opcode, 7 | 9));
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

fn error(envelope: &Envelope) -> String {
    let [a, b] = envelope.body.get(4..6).and_then(|length| length.first_chunk::<2>()).copied().unwrap_or_default();
    let text = envelope.body.get(6..6 + usize::from(u16::from_be_bytes([a, b]))).filter(|_| envelope.opcode == 0);
    String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let (asked, answered) = (number(row, "req_op"), number(row, "resp_op"));
    let statement = if matches!(asked, 7 | 9) { text(row, "req_body") } else { "" };
    let error = if answered == 0 { text(row, "resp_body").split_once(' ').unwrap_or_default().1 } else { "" };
    let request = match answered {
        12 => "event".to_owned(),
        _ => format!("{asked} {} {statement}", number(row, "req_bytes")),
    };
    Said::by(row, request, format!("{answered} {} {error}", number(row, "resp_bytes")))
}
