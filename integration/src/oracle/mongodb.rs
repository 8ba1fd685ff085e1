//! MongoDB's messages by request id: the command, the names of its document's elements, and both lengths.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part, list};
use super::{Said, number, scalar, text};

fn names(section: &Value) -> Vec<String> {
    list(&section["mongo.msg.sections.section.body"]["mongo.elements"]["mongo.element.name"]).map(scalar).collect()
}

/// Every request is a row.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found: Vec<Said> = Vec::new();
    let mut waiting = BTreeMap::new();
    for Part { connection, from_client, what } in capture.layers("mongo")? {
        let bytes = scalar(&what["mongo.message_length"]);
        let body = list(&what["mongo.msg.sections.section"]).map(names).find(|names| !names.is_empty());
        let names = body.unwrap_or_default();
        if from_client {
            waiting.insert((connection, scalar(&what["mongo.request_id"])), found.len());
            let request = format!("{} {} {bytes}", names.first().cloned().unwrap_or_default(), names.len());
            found.push(Said { connection, request, answer: String::new() });
        } else if let Some(at) = waiting.remove(&(connection, scalar(&what["mongo.response_to"]))) {
            found[at].answer = bytes;
        }
    }
    Ok(found)
}

/// What a row says. Sequences of documents stand in the body as elements of it, and are not counted.
#[must_use]
pub fn found(row: &Value) -> Said {
    let command = text(row, "req_cmd");
    let body: Value = serde_json::from_str(text(row, "req_body")).unwrap_or_default();
    let sequence = match command {
        "insert" => "documents",
        "update" => "updates",
        "delete" => "deletes",
        _ => "",
    };
    let count = body.as_object().map_or(0, |body| body.keys().filter(|key| *key != sequence).count());
    let request = format!("{command} {count} {}", number(row, "req_bytes"));
    Said::by(row, request, number(row, "resp_bytes").to_string())
}
