//! Columns of `mongodb_events`.

use super::bson::{self, elements};
use super::frame::{self, DELETE, GET_MORE, INSERT, KILL_CURSORS, Message, UPDATE};
use crate::exchange::Exchange;
use crate::json::{self, Object};
use crate::reader::Reader;

/// Sets a command; says whether it was there.
pub(super) fn set_command(exchange: &mut Exchange, message: &Message<'_>) -> bool {
    let Some(first) = elements(message.body).next() else { return false };
    exchange.set_text(0, first.name);
    exchange.write_text(1, |out| write(out, message));
    true
}

fn write(out: &mut Vec<u8>, message: &Message<'_>) {
    let mut object = Object::new(out);
    bson::members(&mut object, message.body);
    for (name, documents) in &message.sequences {
        json::list(object.key_of(name), frame::documents(documents), bson::document);
    }
    object.end();
}

/// Sets what an `OP_QUERY` asks; says whether it was there.
pub(super) fn set_query(exchange: &mut Exchange, bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    let read = |reader: &mut Reader<'_>| -> Option<()> { reader.take(8).map(|_| ()) };
    let name = reader.u32_le().and_then(|_| bson::text(&mut reader));
    let (Some(name), Some(())) = (name, read(&mut reader)) else { return false };
    let document = reader.rest();
    let first = elements(document).next();
    if !name.ends_with(b".$cmd") {
        exchange.set_text(0, b"find");
        exchange.write_text(1, |out| {
            let mut object = Object::new(out);
            object.text("find", name);
            bson::document(object.key("filter"), document);
            object.end();
        });
        return true;
    }
    let Some(first) = first else { return false };
    // A command that has options comes wrapped.
    let command = if matches!(first.name, b"$query" | b"query") && first.kind == 3 { first.value } else { document };
    set_command(exchange, &Message { body: command, ..Message::default() })
}

/// Sets one of the older messages.
pub(super) fn set_older(exchange: &mut Exchange, opcode: i32, bytes: &[u8]) {
    let name = match opcode {
        INSERT => "insert",
        UPDATE => "update",
        DELETE => "delete",
        GET_MORE => "getMore",
        KILL_CURSORS => return exchange.set_text(0, b"killCursors"),
        _ => return,
    };
    exchange.set_text(0, name.as_bytes());
    let mut reader = Reader::new(bytes.get(4..).unwrap_or_default());
    if let Some(collection) = bson::text(&mut reader) {
        exchange.write_text(1, |out| Object::new(out).text(name, collection).end());
    }
}

/// Sets a reply.
pub(super) fn set_reply(exchange: &mut Exchange, message: &Message<'_>) {
    exchange.write_text(3, |out| write(out, message));
    set_status(exchange, fails(message.body));
}

/// Sets an `OP_REPLY`.
pub(super) fn set_older_reply(exchange: &mut Exchange, bytes: &[u8]) {
    let flags = Reader::new(bytes).u32_le().unwrap_or(0);
    let documents = bytes.get(20..).unwrap_or_default();
    let count = bytes.get(16..).and_then(|rest| Reader::new(rest).u32_le()).unwrap_or(0);
    exchange.write_text(3, |out| match count {
        1 => bson::document(out, documents),
        _ => json::list(out, frame::documents(documents), bson::document),
    });
    // A cursor that is not known, or a query that failed.
    set_status(exchange, flags & 3 != 0 || count == 1 && fails(documents));
}

fn set_status(exchange: &mut Exchange, failed: bool) {
    exchange.failed = failed;
    exchange.set_text(2, if failed { b"error" } else { b"ok" });
}

/// A long reply has its `ok` behind what was kept; one that fails is short.
fn fails(document: &[u8]) -> bool {
    elements(document).any(|element| match element.name {
        b"ok" => bson::number(element) == Some(0.0),
        b"writeErrors" => elements(element.value).next().is_some(),
        b"$err" | b"writeConcernError" => true,
        _ => false,
    })
}
