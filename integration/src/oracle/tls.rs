//! TLS: the client's hello, and the server's or its alert.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part, list};
use super::{Said, scalar, text};

const CLIENT_HELLO: &str = "1";
const SERVER_HELLO: &str = "2";

/// The first value with that key, however deep.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(key).or_else(|| members.values().find_map(|value| find(value, key))),
        Value::Array(items) => items.iter().find_map(|item| find(item, key)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    find(value, key).into_iter().flat_map(list).map(scalar).collect()
}

fn version(number: &str) -> String {
    let digit =
        |last: char| last.to_digit(16).map_or(String::new(), |digit| format!("TLS 1.{}", digit.saturating_sub(1)));
    number.chars().last().map_or_else(String::new, digit)
}

fn hello(handshake: &Value) -> (String, Vec<String>) {
    let supported = texts(handshake, "tls.handshake.extensions.supported_version");
    let fallback = scalar(&handshake["tls.handshake.version"]);
    let chosen = supported.first().cloned().unwrap_or(fallback);
    (version(&chosen), texts(handshake, "tls.handshake.extensions_alpn_str"))
}

fn request(name: &str, alpn: &[String], ciphers: usize) -> String {
    format!("{name} {alpn:?} {ciphers}")
}

/// Every handshake that the server answered is a row.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found = BTreeMap::<u16, Said>::new();
    for Part { connection, from_client, what } in capture.layers("tls")? {
        for record in list(&what["tls.record"]) {
            for handshake in list(&record["tls.handshake"]) {
                let (version, alpn) = hello(handshake);
                match scalar(&handshake["tls.handshake.type"]).as_str() {
                    CLIENT_HELLO if from_client => {
                        let name = texts(handshake, "tls.handshake.extensions_server_name").join("");
                        let ciphers = texts(handshake, "tls.handshake.ciphersuite").len();
                        let request = request(&name, &alpn, ciphers);
                        found.insert(connection, Said { connection, request, answer: String::new() });
                    }
                    SERVER_HELLO if !from_client => {
                        let cipher = texts(handshake, "tls.handshake.ciphersuite").join("");
                        let Some(said) = found.get_mut(&connection) else { continue };
                        said.answer = format!("{version} {cipher} {}", alpn.join(""));
                    }
                    _ => {}
                }
            }
            let alert = find(record, "tls.alert_message.desc").filter(|_| !from_client);
            let Some((alert, said)) = alert.zip(found.get_mut(&connection)) else { continue };
            if said.answer.is_empty() {
                said.answer = format!("alert {}", scalar(alert));
            }
        }
    }
    Ok(found.into_values().filter(|said| !said.answer.is_empty()).collect())
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let read = |column: &str| -> Value { serde_json::from_str(text(row, column)).unwrap_or_default() };
    let (client, server) = (read("req_body"), read("resp_body"));
    let alpn: Vec<String> = list(&client["alpn"]).map(scalar).collect();
    let request = request(&scalar(&client["server_name"]), &alpn, list(&client["ciphers"]).count());
    let answer = match server["alert"].as_i64() {
        Some(alert) => format!("alert {alert}"),
        None => ["version", "cipher", "alpn"].map(|name| scalar(&server[name])).join(" "),
    };
    Said::by(row, request, answer)
}
