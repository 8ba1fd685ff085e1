//! DNS by id: the question, the code and the answers' addresses, names and counts.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part, list};
use super::{Said, scalar, text};

fn int(message: &Value, name: &str) -> u64 {
    let text = scalar(&message[name]);
    let digits = text.strip_prefix("0x").map(|hex| u64::from_str_radix(hex, 16));
    digits.unwrap_or_else(|| text.parse()).unwrap_or(0)
}

fn header(id: u64, code: u64, counts: [u64; 4]) -> String {
    format!("{id} {code} {counts:?}")
}

fn counted(message: &Value) -> [u64; 4] {
    ["queries", "answers", "auth_rr", "add_rr"].map(|name| int(message, &format!("dns.count.{name}")))
}

/// What records say, in their order: addresses.
fn addresses(message: &Value) -> Vec<String> {
    let records = message["Answers"].as_object().into_iter().flatten().flat_map(|(_, record)| list(record));
    records.filter_map(|record| record["dns.a"].as_str().or(record["dns.aaaa"].as_str())).map(str::to_owned).collect()
}

/// Every query is a row, once.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found: Vec<Said> = Vec::new();
    let mut waiting = BTreeMap::new();
    for Part { connection, what, .. } in capture.layers("dns")? {
        let (id, flags) = (int(&what, "dns.id"), &what["dns.flags_tree"]);
        let header = header(id, int(flags, "dns.flags.rcode"), counted(&what));
        if scalar(&flags["dns.flags.response"]) == "1" {
            let Some(at) = waiting.remove(&(connection, id)) else { continue };
            let said: &mut Said = &mut found[at];
            said.answer = format!("{header} {:?}", sorted(addresses(&what)));
            continue;
        }
        let question = what["Queries"].as_object().and_then(|queries| queries.values().next()).unwrap_or(&Value::Null);
        let request = format!("{header} {}", scalar(&question["dns.qry.name"]));
        waiting.insert((connection, id), found.len());
        // A datagram's row does not always know the other end.
        found.push(Said { connection: 0, request, answer: String::new() });
    }
    Ok(found)
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let read = |column: &str| -> Value { serde_json::from_str(text(row, column)).unwrap_or_default() };
    let half = |side: &str| {
        let value = read(&format!("{side}_header"));
        let int = |name: &str| value[name].as_u64().unwrap_or(0);
        let counts = ["num_queries", "num_answers", "num_auth", "num_addl"].map(int);
        header(int("txid"), int("rcode"), counts)
    };
    let name = read("req_body")["queries"][0]["name"].as_str().unwrap_or_default().to_owned();
    let answers = read("resp_body");
    let addresses = list(&answers["answers"]).filter_map(|answer| answer["addr"].as_str()).map(str::to_owned);
    let answer = if text(row, "resp_header").is_empty() {
        String::new()
    } else {
        format!("{} {:?}", half("resp"), sorted(addresses.collect()))
    };
    Said { connection: 0, request: format!("{} {name}", half("req")), answer }
}
