//! AMQP 0-9-1: methods by channel, each with the content behind it and with what answers it.

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part};
use super::{Said, number, scalar, text};

/// Arguments that are compared, by the names of the specification.
const ARGUMENTS: [&str; 12] = [
    "exchange",
    "queue",
    "routing_key",
    "consumer_tag",
    "delivery_tag",
    "reply_code",
    "reply_text",
    "message_count",
    "prefetch_count",
    "heartbeat",
    "mechanism",
    "virtual_host",
];
/// So much of a body is in the table.
const BODY_BYTES: usize = 1024;
/// Methods that answer, and which.
const ANSWERS: [(u64, u64, u64); 28] = [
    (10, 11, 10),
    (10, 21, 20),
    (10, 31, 30),
    (10, 41, 40),
    (10, 51, 50),
    (20, 11, 10),
    (20, 21, 20),
    (20, 41, 40),
    (40, 11, 10),
    (40, 21, 20),
    (40, 31, 30),
    (40, 51, 40),
    (50, 11, 10),
    (50, 21, 20),
    (50, 31, 30),
    (50, 41, 40),
    (50, 51, 50),
    (60, 11, 10),
    (60, 21, 20),
    (60, 31, 30),
    (60, 71, 70),
    (60, 72, 70),
    (60, 111, 110),
    (85, 11, 10),
    (90, 11, 10),
    (90, 21, 20),
    (90, 31, 30),
    (70, 11, 10),
];

/// A method with its content.
struct Method {
    connection: u16,
    from_client: bool,
    channel: u64,
    class: u64,
    number: u64,
    arguments: Value,
    body: Option<(u64, Vec<u8>)>,
    bytes: u64,
}

impl Method {
    fn words(&self) -> String {
        words(
            self.class,
            self.number,
            &self.arguments,
            self.body.as_ref().map(|body| (body.0, &body.1[..])),
            self.bytes,
        )
    }
}

fn words(class: u64, number: u64, arguments: &Value, body: Option<(u64, &[u8])>, bytes: u64) -> String {
    let mut words = format!("{class}.{number} {bytes}");
    for name in ARGUMENTS {
        let value = scalar(&arguments[name]);
        if !value.is_empty() {
            words += &format!(" {name}={value}");
        }
    }
    if let Some((size, head)) = body {
        words += &format!(" body {size} {}", String::from_utf8_lossy(head));
    }
    words
}

fn int(frame: &Value, name: &str) -> u64 {
    frame[name].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn methods(frames: &[Part<Value>]) -> Vec<Method> {
    let mut found: Vec<Method> = Vec::new();
    for Part { connection, from_client, what } in frames {
        let (channel, bytes) = (int(what, "amqp.channel"), int(what, "amqp.length") + 8);
        let same = |method: &&mut Method| {
            method.connection == *connection && method.from_client == *from_client && method.channel == channel
        };
        match what["amqp.type"].as_str() {
            Some("1") => {
                let mut arguments = Value::Object(serde_json::Map::new());
                for (name, value) in what["amqp.method.arguments"].as_object().into_iter().flatten() {
                    arguments[name.trim_start_matches("amqp.method.arguments.")] = value.clone();
                }
                let (class, number) = (int(what, "amqp.method.class"), int(what, "amqp.method.method"));
                let (connection, from_client) = (*connection, *from_client);
                found.push(Method { connection, from_client, channel, class, number, arguments, body: None, bytes });
            }
            Some("2") => {
                let Some(method) = found.iter_mut().rev().find(same) else { continue };
                method.bytes += bytes;
                method.body = Some((int(what, "amqp.header.body-size"), Vec::new()));
            }
            Some("3") => {
                let Some(method) = found.iter_mut().rev().find(same) else { continue };
                method.bytes += bytes;
                let Some((_, head)) = &mut method.body else { continue };
                let payload = super::capture::bytes(what["amqp.payload"].as_str().unwrap_or_default());
                head.extend(payload.unwrap_or_default());
                head.truncate(BODY_BYTES);
            }
            _ => {}
        }
    }
    found
}

/// Every method is a row unless it answers one; a close that names a method which waits answers it as well.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found: Vec<(Said, bool, u64, u64, u64)> = Vec::new();
    for method in methods(&capture.layers("amqp")?) {
        let Method { connection, from_client, channel, class, number, .. } = method;
        let asked = ANSWERS.iter().find(|answer| (answer.0, answer.1) == (class, number)).map(|answer| answer.2);
        let failing = match (class, number) {
            (10, 50) | (20, 40) => {
                let named = |name: &str| scalar(&method.arguments[name]).parse().unwrap_or(0);
                Some((named("class_id"), named("method_id")))
            }
            _ => None,
        };
        let key = asked.map(|asked| (class, asked)).or(failing);
        let waits = |row: &&mut (Said, bool, u64, u64, u64)| {
            let other = row.0.connection == connection && row.1 != from_client && row.2 == channel;
            other && Some((row.3, row.4)) == key && row.0.answer.is_empty()
        };
        if let Some(row) = found.iter_mut().find(waits) {
            row.0.answer = method.words();
        }
        if asked.is_none() {
            let request = format!("{channel} {}", method.words());
            found.push((Said { connection, request, answer: String::new() }, from_client, channel, class, number));
        }
    }
    Ok(found.into_iter().map(|row| row.0).collect())
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let half = |side: &str| {
        let id = |kind: &str| u64::try_from(number(row, &format!("{side}_{kind}_id"))).unwrap_or(0);
        let message: Value = serde_json::from_str(text(row, &format!("{side}_msg"))).unwrap_or_default();
        let size = message["body_size"].as_u64();
        let body = size.map(|size| (size, message["body"].as_str().unwrap_or_default().as_bytes()));
        let bytes = u64::try_from(number(row, &format!("{side}_bytes"))).unwrap_or(0);
        words(id("class"), id("method"), &message, body, bytes)
    };
    let answer = if number(row, "resp_class_id") > 0 { half("resp") } else { String::new() };
    Said::by(row, format!("{} {}", number(row, "channel"), half("req")), answer)
}
