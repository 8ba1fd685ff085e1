//! Kafka by correlation id: what is asked, by whom, how long both messages are, and the topics that tshark can read.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part};
use super::{Said, number, scalar, text};

fn words(key: &str, client: &str, bytes: i64) -> String {
    format!("{key} {client} {bytes}")
}

fn int(message: &Value, name: &str) -> i64 {
    message[name].as_str().and_then(|text| text.parse().ok()).unwrap_or(-1)
}

/// Every request is a row.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found: Vec<Said> = Vec::new();
    let mut waiting = BTreeMap::new();
    for Part { connection, from_client, what } in capture.layers("kafka")? {
        let id = (connection, int(&what, "kafka.correlation_id"));
        let bytes = int(&what, "kafka.len") + 4;
        if from_client {
            let request = words(&scalar(&what["kafka.api_key"]), &scalar(&what["kafka.client_id"]), bytes);
            waiting.insert(id, found.len());
            found.push(Said { connection, request, answer: String::new() });
        } else if let Some(at) = waiting.remove(&id) {
            found[at].answer = bytes.to_string();
        }
    }
    // What was asked last may have no answer.
    found.retain(|said| !said.answer.is_empty());
    Ok(found)
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let request = words(&number(row, "req_cmd").to_string(), text(row, "client_id"), number(row, "req_bytes"));
    let answer = number(row, "resp_bytes");
    Said::by(row, request, if answer > 0 { answer.to_string() } else { String::new() })
}
