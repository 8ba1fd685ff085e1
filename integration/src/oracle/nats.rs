//! NATS, which tshark does not know: its lines are few, and read here from the bytes of the streams.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::capture::Capture;
use super::{Said, number, text};

/// So much of a payload is in the table.
const BODY_BYTES: usize = 1024;

const ROWS: [&str; 10] = ["INFO", "CONNECT", "PUB", "HPUB", "SUB", "UNSUB", "MSG", "HMSG", "PING", "-ERR"];

/// A command with its payload, and the bytes it took.
struct Command {
    words: Vec<String>,
    line: String,
    payload: Option<String>,
    bytes: usize,
}

fn commands(mut stream: &[u8]) -> Result<Vec<Command>> {
    let mut found = Vec::new();
    while !stream.is_empty() {
        let end = stream.windows(2).position(|pair| pair == b"\r\n").context("a line's end")?;
        let line = String::from_utf8_lossy(&stream[..end]).into_owned();
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words[0].make_ascii_uppercase();
        let mut command = Command { words, line, payload: None, bytes: end + 2 };
        if matches!(command.words[0].as_str(), "PUB" | "HPUB" | "MSG" | "HMSG") {
            let size: usize = command.words[command.words.len() - 1].parse()?;
            let head =
                if command.words[0].starts_with('H') { command.words[command.words.len() - 2].parse()? } else { 0 };
            let kept = &stream[end + 2..end + 2 + size.min(head + BODY_BYTES)];
            command.payload = Some(String::from_utf8_lossy(kept).into_owned());
            command.bytes += size + 2;
        }
        stream = &stream[command.bytes..];
        found.push(command);
    }
    Ok(found)
}

fn body(command: &Command) -> Value {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let payload = command.payload.as_deref().unwrap_or_default();
    let headed = |words: &[&str]| -> (String, String) {
        let size: usize = words[words.len() - 2].parse().unwrap_or(0);
        (payload[..size].trim_end().to_owned(), payload[size..].to_owned())
    };
    match words[..] {
        ["INFO" | "CONNECT", ..] => {
            let (_, json) = command.line.split_once(' ').unwrap_or_default();
            serde_json::from_str(json).unwrap_or_default()
        }
        ["PUB", subject, _] => json!({"subject": subject, "payload": payload}),
        ["PUB", subject, reply, _] => json!({"subject": subject, "reply_to": reply, "payload": payload}),
        ["HPUB", subject, _, _] => {
            let (headers, payload) = headed(&words);
            json!({"subject": subject, "headers": headers, "payload": payload})
        }
        ["HPUB", subject, reply, _, _] => {
            let (headers, payload) = headed(&words);
            json!({"subject": subject, "reply_to": reply, "headers": headers, "payload": payload})
        }
        ["MSG", subject, sid, _] => json!({"subject": subject, "sid": sid, "payload": payload}),
        ["MSG", subject, sid, reply, _] => {
            json!({"subject": subject, "sid": sid, "reply_to": reply, "payload": payload})
        }
        ["HMSG", subject, sid, _, _] => {
            let (headers, payload) = headed(&words);
            json!({"subject": subject, "sid": sid, "headers": headers, "payload": payload})
        }
        ["HMSG", subject, sid, reply, _, _] => {
            let (headers, payload) = headed(&words);
            json!({"subject": subject, "sid": sid, "reply_to": reply, "headers": headers, "payload": payload})
        }
        ["SUB", subject, sid] => json!({"subject": subject, "sid": sid}),
        ["SUB", subject, group, sid] => json!({"subject": subject, "queue_group": group, "sid": sid}),
        ["UNSUB", sid] => json!({"sid": sid}),
        ["UNSUB", sid, count] => json!({"sid": sid, "max_msgs": count}),
        _ => Value::Null,
    }
}

fn words(name: &str, body: &Value, bytes: usize) -> String {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    format!("{} {body} {bytes}", name.trim_start_matches(['+', '-']))
}

/// Every command is a row, but for `+OK` and PONG; what was sent to the reply subject of a request answers it.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found = Vec::new();
    for (connection, sides) in capture.streams()? {
        let [client, server] = [commands(&sides[0])?, commands(&sides[1])?];
        for (own, others) in [(&client, &server), (&server, &client)] {
            let mut pongs = others.iter().filter(|command| command.words[0] == "PONG");
            let mut replies = BTreeMap::new();
            for command in others.iter().filter(|command| command.words[0].ends_with("MSG")) {
                replies.entry(command.words[1].as_str()).or_insert(command);
            }
            for command in own.iter().filter(|command| ROWS.contains(&command.words[0].as_str())) {
                let reply_to = match (command.words[0].as_str(), command.words.len()) {
                    ("PUB", 4) | ("HPUB", 5) => replies.get(command.words[2].as_str()),
                    _ => None,
                };
                let answer = match (command.words[0].as_str(), reply_to) {
                    ("PING", _) => pongs.next().map(|_| "PONG".to_owned()),
                    ("-ERR", _) => command.line.split_once(' ').map(|(_, error)| error.to_owned()),
                    (_, Some(reply)) => body(reply)["payload"].as_str().map(str::to_owned),
                    _ => None,
                };
                let request = words(&command.words[0], &body(command), command.bytes);
                found.push(Said { connection, request, answer: answer.unwrap_or_default() });
            }
        }
    }
    Ok(found)
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let body = serde_json::from_str(text(row, "body")).unwrap_or_default();
    let bytes = usize::try_from(number(row, "req_bytes")).unwrap_or(0);
    Said::by(row, words(text(row, "cmd"), &body, bytes), text(row, "resp").to_owned())
}
