//! Redis: tshark mixes up the order of pipelined replies, so values are read here from the bytes of the streams.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;

use super::capture::Capture;
use super::{Said, number, text};

/// Longer messages are compared by their lengths.
const TEXT_BYTES: usize = 400;

/// How the table shows that there is no value.
const NULL: &str = "<NULL>";

/// A value of RESP 2 or 3.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    List(Vec<Value>),
    Pushed(Vec<Value>),
}

impl Value {
    fn items(&self) -> &[Value] {
        match self {
            Value::Text(_) => &[],
            Value::List(items) | Value::Pushed(items) => items,
        }
    }

    fn text(&self) -> &str {
        if let Value::Text(text) = self { text } else { "" }
    }
}

/// The value at the start and the bytes that it takes.
fn value(bytes: &[u8]) -> Result<(Value, usize)> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").context("a line's end")?;
    let line = String::from_utf8_lossy(&bytes[1..end]).into_owned();
    let (mut used, count) = (end + 2, line.parse::<i64>().unwrap_or(0));
    let text = |text: String| Ok(Value::Text(text));
    let found: Result<Value> = match bytes[0] {
        b'+' | b'-' | b':' | b',' | b'#' | b'(' => text(line),
        b'_' => text(NULL.into()),
        b'$' | b'=' | b'!' if count < 0 => text(NULL.into()),
        b'$' | b'=' | b'!' => {
            let size = usize::try_from(count)?;
            let content = String::from_utf8_lossy(&bytes[used..used + size]).into_owned();
            used += size + 2;
            text(content)
        }
        kind @ (b'*' | b'~' | b'>' | b'%') => {
            let mut items = Vec::new();
            for _ in 0..count.max(0) * if kind == b'%' { 2 } else { 1 } {
                let (item, length) = value(&bytes[used..])?;
                used += length;
                items.push(item);
            }
            Ok(if kind == b'>' { Value::Pushed(items) } else { Value::List(items) })
        }
        other => bail!("no value starts with {other}"),
    };
    Ok((found?, used))
}

fn values(mut bytes: &[u8]) -> Result<Vec<(Value, usize)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (value, length) = value(bytes)?;
        bytes = &bytes[length..];
        found.push((value, length));
    }
    Ok(found)
}

fn request(words: &[String], bytes: usize) -> String {
    let text = if bytes < TEXT_BYTES { words.join(" ").to_uppercase() } else { String::new() };
    format!("{bytes} {text}")
}

fn answer(text: &str, bytes: usize) -> String {
    format!("{bytes} {}", if bytes < TEXT_BYTES { text } else { "" })
}

/// Every command is a row with its reply, and every message that was not asked for.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found = Vec::new();
    for (connection, [client, server]) in capture.streams()? {
        let mut listens = false;
        // Commands in order, with how many replies each still waits for, and the bytes of those it had.
        let mut waiting: VecDeque<(String, usize, usize)> = VecDeque::new();
        for (command, bytes) in values(&client)? {
            let words: Vec<String> = command.items().iter().map(|word| word.text().to_owned()).collect();
            let name = words[0].to_uppercase();
            let subscribes = name.ends_with("SUBSCRIBE");
            listens |= subscribes;
            waiting.push_back((request(&words, bytes), if subscribes { words.len() - 1 } else { 1 }, 0));
        }
        for (reply, bytes) in values(&server)? {
            let first = reply.items().first().map_or("", Value::text);
            let pushed = matches!(reply, Value::Pushed(_)) || listens;
            if pushed && matches!(first, "message" | "pmessage") {
                found.push(Said { connection, request: "0 ".into(), answer: answer("", bytes) });
                continue;
            }
            let Some(mut front) = waiting.pop_front() else { bail!("a reply to nothing") };
            (front.1, front.2) = (front.1 - 1, front.2 + bytes);
            if front.1 > 0 {
                waiting.push_front(front);
                continue;
            }
            found.push(Said { connection, request: front.0, answer: answer(reply.text(), front.2) });
        }
    }
    Ok(found)
}

/// What a row says.
#[must_use]
pub fn found(row: &Json) -> Said {
    let mut words: Vec<String> = text(row, "req_cmd").split(' ').map(str::to_owned).collect();
    words.extend(serde_json::from_str::<Vec<String>>(text(row, "req_args")).unwrap_or_default());
    let bytes = |column: &str| usize::try_from(number(row, column)).unwrap_or(0);
    let reply = text(row, "resp");
    let plain = if reply.starts_with(['[', '{']) || text(row, "req_cmd").ends_with("SUBSCRIBE") { "" } else { reply };
    Said::by(row, request(&words, bytes("req_bytes")), answer(plain, bytes("resp_bytes")))
}
