//! Columns of `kafka_events.beta`.

use super::frame::Header;
use crate::exchange::Exchange;

pub(super) const KEY: usize = 0;
pub(super) const CLIENT: usize = 1;
pub(super) const REQUEST: usize = 2;
pub(super) const ANSWER: usize = 3;
/// No column: the version is kept here until the answer comes.
pub(super) const VERSION: usize = 4;

/// Sets what is asked; returns whether all of it is known.
pub(super) fn set_request(exchange: &mut Exchange, header: &Header<'_>) -> bool {
    exchange.set_int(KEY, header.key.into());
    exchange.set_int(VERSION, header.version.into());
    exchange.set_text(CLIENT, header.client);
    exchange.set_text(REQUEST, b"{}");
    true
}

/// Sets what is answered; returns whether all of it is known.
pub(super) fn set_answer(exchange: &mut Exchange, _body: &[u8]) -> bool {
    exchange.set_text(ANSWER, b"{}");
    true
}
