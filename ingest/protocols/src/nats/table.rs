//! Columns of `nats_events`.

use super::frame::Command;
use crate::exchange::Exchange;
use crate::json::Object;
use crate::redaction::without_members;

/// What a client proves itself with.
const SECRETS: [&[u8]; 4] = [b"pass", b"auth_token", b"jwt", b"sig"];

/// What was sent.
pub(super) fn set(exchange: &mut Exchange, command: &Command<'_>, payload: &[u8]) {
    exchange.set_text(0, command.name.trim_start_matches(['+', '-']).as_bytes());
    match command.name {
        "INFO" => exchange.set_text(1, command.rest),
        "CONNECT" => exchange.write_text(1, |out| without_members(command.rest, &SECRETS, out)),
        "PUB" | "HPUB" | "MSG" | "HMSG" => exchange.write_text(1, |out| message(out, command, payload)),
        "SUB" | "UNSUB" => exchange.write_text(1, |out| subscription(out, command)),
        "-ERR" => {
            exchange.failed = true;
            exchange.set_text(2, command.rest);
        }
        _ => {}
    }
}

fn message(out: &mut Vec<u8>, command: &Command<'_>, payload: &[u8]) {
    let (subject, reply) = command.subjects();
    let mut object = Object::new(out);
    object.text("subject", subject);
    if let (true, Some(sid)) = (command.name.ends_with("MSG"), command.words().get(1)) {
        object.text("sid", sid);
    }
    if let Some(reply) = reply {
        object.text("reply_to", reply);
    }
    let (headers, body) = payload.split_at(command.headers().min(payload.len()));
    if !headers.is_empty() {
        object.text("headers", headers.trim_ascii_end());
    }
    object.text("payload", body).end();
}

fn subscription(out: &mut Vec<u8>, command: &Command<'_>) {
    let mut object = Object::new(out);
    let keys: &[&str] = match (command.name, command.words().len()) {
        ("SUB", 2) => &["subject", "sid"],
        ("SUB", _) => &["subject", "queue_group", "sid"],
        _ => &["sid", "max_msgs"],
    };
    for (key, word) in keys.iter().zip(command.words()) {
        object.text(key, word);
    }
    object.end();
}
