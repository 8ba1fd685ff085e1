//! CQL by stream: opcodes, lengths, statements and errors. tshark reads version 5 only up to its handshake, after which
//! frames are in segments, so the conversation's versions below 5 are judged.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part};
use super::{Said, number, scalar, text};

const EVENT: &str = "12";
const COMPRESSED: &str = "1";

/// Every request is a row, and every event.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found: Vec<Said> = Vec::new();
    let mut waiting = BTreeMap::new();
    for Part { connection, from_client, what } in capture.layers("cql")? {
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
