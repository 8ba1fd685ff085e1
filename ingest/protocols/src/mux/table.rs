//! Columns of `mux_events`.

use super::frame::{ERROR, Head};
use crate::exchange::Exchange;

/// What is asked.
pub(super) fn set_request(exchange: &mut Exchange, head: Head) {
    exchange.set_int(0, head.kind.into());
}

/// What is answered: a reply begins with its status, of which only 0 is none of an error.
pub(super) fn set_reply(exchange: &mut Exchange, head: Head, body: &[u8]) {
    let refused = matches!(head.kind, -1 | -2) && body.first().is_some_and(|status| *status != 0);
    exchange.failed = head.kind == ERROR || refused;
}
