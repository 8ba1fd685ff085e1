//! Where messages start in a direction in which that is not known, or in doubt.

use super::Parser;
use crate::http1::half::State;
use crate::http1::head::end_of_head;
use crate::http1::infer::{CERTAIN, Kind, LIKELY, infer};

/// After so many events without a message at their start, starts are looked for inside of them.
const SCAN_AFTER: u32 = 2;
/// So many bytes of a start are kept where messages are looked for.
const LETTERS_MAX: usize = 8;

impl Parser {
    /// Whether an event that should continue a message begins one instead, because the message's end could not be
    /// computed.
    pub(super) fn restarts(&self, side: usize, bytes: &[u8]) -> bool {
        let half = &self.halves[side];
        let in_doubt = match half.state {
            State::Unframed { .. } => true,
            // The response to a HEAD that was not seen has no body, whatever its head says.
            State::Fixed(_) | State::Chunked(_) if !self.is_request(side) => !half.tracked,
            // A client need not send the body that it offered to a server that declined.
            State::Fixed(_) => {
                half.tracked
                    && self.answered >= self.asked
                    && self.asked.checked_sub(1).and_then(|index| self.exchanges.get(index)).is_some_and(|exchange| {
                        exchange.request.expects && exchange.request.body_bytes == 0 && exchange.response.done
                    })
            }
            _ => false,
        };
        in_doubt && self.is_likely(side, bytes)
    }

    fn is_likely(&self, side: usize, bytes: &[u8]) -> bool {
        let found = infer(bytes);
        let fits = self.requests.is_none() || (found.kind == Kind::Request) == self.is_request(side);
        found.score >= LIKELY && fits
    }

    /// Whether a message starts here, where anything may have come before.
    fn is_start(&self, side: usize, bytes: &[u8]) -> bool {
        let found = infer(bytes);
        self.is_likely(side, bytes) && (found.kind == Kind::Response || found.score >= CERTAIN)
    }

    pub(super) fn resynchronise(&mut self, side: usize, bytes: &[u8], at_start: bool, events: u32) -> Option<usize> {
        self.halves[side].state = State::Lost { events: events.saturating_add(1) };
        if at_start && self.is_start(side, bytes) {
            self.halves[side].drop_buffer();
            self.halves[side].state = State::Start;
            return Some(0);
        }
        let held = &self.halves[side].buffer;
        if at_start && !held.is_empty() && self.is_start(side, &[held, bytes].concat()) {
            self.halves[side].state = State::Head;
            return Some(0);
        }
        if events < SCAN_AFTER || !self.recognised {
            return None;
        }
        let found = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)?;
        let complete = self.is_start(side, &bytes[found..]) && end_of_head(&bytes[found..]).is_some();
        if !complete {
            return None;
        }
        self.halves[side].state = State::Start;
        Some(found)
    }

    /// Keeps what may be the first letters of a message: Go's server waits for a request with a read of one byte.
    pub(super) fn hold_start(&mut self, side: usize, bytes: &[u8], time_ns: i64) {
        let half = &mut self.halves[side];
        half.drop_buffer();
        if bytes.len() <= LETTERS_MAX && (1..LIKELY).contains(&infer(bytes).score) {
            half.buffer.extend_from_slice(bytes);
            half.buffered_since_ns = time_ns;
        }
    }
}
