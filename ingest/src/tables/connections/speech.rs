//! What a connection speaks: judged over its first messages, and again when the judgement was wrong.

use watershed_protocols::http1::{Limits, Parser, Upgrade};
use watershed_protocols::inference::{Scores, Verdict};
use watershed_protocols::registry::PROTOCOLS;
use watershed_protocols::websocket::Websocket;
use watershed_protocols::{ConnectionParser, Direction, Protocol, Segment, Setup};

use super::held::Held;
use crate::event::{Attention, Connection, Role};

/// What waits for a judgement; beyond that only lengths are kept.
const HELD_BYTES_MAX: usize = 64 << 10;
const HELD_MAX: usize = 64;

/// What a connection speaks.
#[derive(Debug)]
pub(super) enum Speech {
    /// Not known yet.
    Undecided(Box<Undecided>),
    /// HTTP/1.
    Http1(Box<Parser>),
    /// One of the others, at an index of [`PROTOCOLS`].
    Other(Box<dyn ConnectionParser + Send>, usize),
    /// Nothing that is known, or nothing more.
    Silent,
}

/// A connection while it is judged.
#[derive(Debug)]
pub(super) struct Undecided {
    scores: Scores,
    held: Vec<Held>,
    held_bytes: usize,
    /// Where the next segment should be; `None` when not known.
    next: [Option<u64>; 2],
    barred: Option<usize>,
    from_start: bool,
}

impl Speech {
    /// A connection of which nothing was seen yet.
    pub(super) fn new(info: &Connection) -> Self {
        let start = (!info.opened_before_start).then_some(0);
        Speech::undecided(info, [start; 2], None, !info.opened_before_start)
    }

    /// A connection that goes on as something else than the candidate `barred`.
    pub(super) fn again(info: &Connection, next: [Option<u64>; 2], barred: usize) -> Self {
        Speech::undecided(info, next, Some(barred), false)
    }

    /// A connection of HTTP/1 that goes on as WebSocket.
    pub(super) fn upgraded(upgrade: &Upgrade, body_bytes: usize, requests: Direction, next: [Option<u64>; 2]) -> Self {
        let setup = Setup { datagrams: false, body_bytes, from_start: true };
        let protocol = Websocket::upgraded(setup, &upgrade.target);
        let table = Websocket::DESCRIPTION.table;
        let index = PROTOCOLS.iter().position(|known| known.description.table == table);
        let index = index.expect("WebSocket is one of the protocols");
        Speech::Other(Box::new(watershed_protocols::Connection::resumed(protocol, setup, requests, next)), index)
    }

    fn undecided(info: &Connection, next: [Option<u64>; 2], barred: Option<usize>, from_start: bool) -> Self {
        let client = match info.role {
            Role::Client => Some(Direction::Sent),
            Role::Server => Some(Direction::Received),
            Role::Unknown => None,
        };
        let scores = Scores::new(PROTOCOLS, client);
        Speech::Undecided(Box::new(Undecided { scores, held: Vec::new(), held_bytes: 0, next, barred, from_start }))
    }

    /// Where the next segment of a direction should be, if that is known.
    pub(super) fn expected(&self, direction: Direction) -> Option<u64> {
        match self {
            Speech::Undecided(undecided) => undecided.next[direction as usize],
            Speech::Http1(parser) => parser.expected(direction),
            Speech::Other(parser, _) => parser.expected(direction),
            Speech::Silent => None,
        }
    }

    /// Whether time may complete something.
    pub(super) fn waits_for_time(&self) -> bool {
        match self {
            Speech::Http1(parser) => !parser.at_rest(),
            Speech::Other(parser, _) => !parser.at_rest(),
            Speech::Undecided(_) | Speech::Silent => false,
        }
    }

    /// How much of its content has to be seen; `None` where the beginning of each transfer is enough.
    pub(super) fn attention(&self) -> Option<Attention> {
        match self {
            Speech::Silent => Some(Attention::None),
            Speech::Other(parser, _) => parser.description().whole.then_some(Attention::Whole),
            Speech::Undecided(_) | Speech::Http1(_) => None,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        matches!(self, Speech::Silent)
    }
}

impl Undecided {
    /// Judges with one more segment. `Some` is the answer, with all that was held until then.
    pub(super) fn segment(
        &mut self,
        info: &Connection,
        segment: &Segment<'_>,
        body_bytes: usize,
    ) -> Option<(Speech, Vec<Held>)> {
        let verdict = self.scores.segment(PROTOCOLS, segment, info.datagrams, self.barred);
        if verdict != Verdict::Undecided {
            return Some(self.decided(verdict, info, body_bytes));
        }
        let next = &mut self.next[segment.direction as usize];
        let end = segment.position.saturating_add(segment.length.into());
        *next = if info.datagrams { None } else { Some(end.max(next.unwrap_or(0))) };
        let room = HELD_BYTES_MAX - self.held_bytes;
        let seen = if segment.captured.len() <= room { segment.captured } else { b"" };
        self.held_bytes += seen.len();
        if self.held.len() < HELD_MAX {
            self.held.push(Held::of(&Segment { captured: seen, ..*segment }));
        }
        None
    }

    /// The best guess at the connection's end.
    pub(super) fn finish(&mut self, info: &Connection, body_bytes: usize) -> (Speech, Vec<Held>) {
        self.decided(self.scores.at_end(self.barred), info, body_bytes)
    }

    fn decided(&mut self, verdict: Verdict, info: &Connection, body_bytes: usize) -> (Speech, Vec<Held>) {
        let held = std::mem::take(&mut self.held);
        let Verdict::Is { candidate, requests } = verdict else { return (Speech::Silent, held) };
        let speech = match PROTOCOLS[candidate].make {
            None => {
                let mut parser = Parser::new(Limits { body_bytes });
                if !self.from_start {
                    parser.starts_late();
                }
                Speech::Http1(Box::new(parser))
            }
            Some(make) => {
                let setup = Setup { datagrams: info.datagrams, body_bytes, from_start: self.from_start };
                Speech::Other(make(setup, requests), candidate)
            }
        };
        (speech, held)
    }
}
