//! Columns of `kafka_events.beta`.

use std::collections::HashMap;

use super::body::{Body, Field};
use super::frame::{API_VERSIONS, Header, beyond, flexible};
use super::schema;
use crate::exchange::Exchange;

pub(super) const KEY: usize = 0;
pub(super) const CLIENT: usize = 1;
pub(super) const REQUEST: usize = 2;
pub(super) const ANSWER: usize = 3;
/// No column: the version is kept here until the answer comes.
pub(super) const VERSION: usize = 4;

const UNSUPPORTED_VERSION: [u8; 2] = 35_i16.to_be_bytes();
const TOPICS_MAX: usize = 4096;
const NAME_BYTES_MAX: usize = 249;

/// Names of topics by id, as metadata told them on the same connection.
#[derive(Debug, Default)]
pub(super) struct Topics {
    by_id: HashMap<[u8; 16], Box<[u8]>>,
}

impl Topics {
    /// Keeps a name that can be one.
    pub(super) fn name(&mut self, id: [u8; 16], name: &[u8]) {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || self.of(&id) == Some(name) {
            return;
        }
        if self.by_id.len() >= TOPICS_MAX
            && let Some(old) = self.by_id.keys().next().copied()
        {
            self.by_id.remove(&old);
        }
        self.by_id.insert(id, name.into());
    }

    /// The name of a topic.
    pub(super) fn of(&self, id: &[u8; 16]) -> Option<&[u8]> {
        self.by_id.get(id).map(|name| &**name)
    }

    /// Sets what is asked; returns whether all of it is known.
    pub(super) fn set_request(&mut self, exchange: &mut Exchange, header: &Header<'_>) -> bool {
        exchange.set_int(KEY, header.key.into());
        exchange.set_int(VERSION, header.version.into());
        exchange.set_text(CLIENT, header.client);
        let shape = schema::shapes(header.key).map(|(request, _)| request);
        self.set_body(exchange, REQUEST, shape, header.body)
    }

    /// Sets what is answered; returns whether all of it is known.
    pub(super) fn set_answer(&mut self, exchange: &mut Exchange, body: &[u8]) -> bool {
        let shape = schema::shapes(exchange.int(KEY) as i16).map(|(_, answer)| answer);
        self.set_body(exchange, ANSWER, shape, body)
    }

    fn set_body(&mut self, exchange: &mut Exchange, column: usize, shape: Option<&[Field]>, bytes: &[u8]) -> bool {
        let (key, version) = (exchange.int(KEY) as i16, exchange.int(VERSION) as i16);
        let Some(shape) = shape.filter(|_| !beyond(key, version)) else {
            exchange.set_text(column, b"{}");
            return true;
        };
        // Who asks for the versions in a version that the broker does not know gets an answer of version 0.
        let unsupported = key == API_VERSIONS && column == ANSWER && bytes.starts_with(&UNSUPPORTED_VERSION);
        let version = if unsupported { 0 } else { version };
        let mut body = Body::new(bytes, version, flexible(key, version), self);
        let mut whole = false;
        exchange.write_text(column, |out| whole = body.write(out, shape).is_some());
        let (failed, unnamed) = (body.failed, body.unnamed);
        exchange.failed |= failed;
        whole && !unnamed
    }
}
