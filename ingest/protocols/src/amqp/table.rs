//! Columns of `amqp_events`.

use super::arguments;
use super::method::Method;
use crate::exchange::Exchange;
use crate::json::{self, Object};
use crate::reader::Reader;

/// Which half of a row a method goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Request = 0,
    Response = 1,
}

/// Sets a method's half and says whether nothing will answer it. The arguments stay open for [`content`] or [`close`].
pub(super) fn method(exchange: &mut Exchange, half: Half, channel: u16, method: &Method, bytes: &[u8]) -> bool {
    let at = half as usize;
    exchange.set_int(0, 1);
    exchange.set_int(1, channel.into());
    exchange.set_int(2 + 2 * at, method.class.into());
    exchange.set_int(3 + 2 * at, method.number.into());
    exchange.failed |= fails(method, bytes);
    let out = exchange.body(6 + at, at);
    out.clear();
    // The object is left open.
    let mut object = Object::new(out);
    arguments::write(&mut object, method.arguments, &mut Reader::new(bytes)).unwrap_or(false)
}

/// A close with an error, a message that came back, one that the server did not take.
fn fails(method: &Method, bytes: &[u8]) -> bool {
    match (method.class, method.number) {
        (10, 50) | (20, 40) => Reader::new(bytes).u16().is_some_and(|code| code >= 300),
        (60, 50) => true,
        _ => false,
    }
}

/// Ends a method's arguments.
pub(super) fn close(exchange: &mut Exchange, half: Half) {
    exchange.body(6 + half as usize, half as usize).push(b'}');
}

/// Ends a method's arguments with the content that followed.
pub(super) fn content(exchange: &mut Exchange, half: Half, properties: &[u8], size: u64, head: &[u8]) {
    let out = exchange.body(6 + half as usize, half as usize);
    if out.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(b"\"properties\":");
    arguments::properties(out, &mut Reader::new(properties));
    out.extend_from_slice(b",\"body_size\":");
    json::int(out, i64::try_from(size).unwrap_or(i64::MAX));
    out.extend_from_slice(b",\"body\":");
    json::string(out, head);
    out.push(b'}');
}
