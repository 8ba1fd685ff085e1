//! What is known of one connection.

use watershed_model::Upid;
use watershed_protocols::Segment;

use super::held::Held;
use super::owners::Owners;
use super::speech::Speech;
use crate::event::{Connection, Stream, Totals};
use crate::tables::conn_stats::Contribution;
use crate::tables::placed::Place;

/// A connection is judged anew so often.
pub(super) const JUDGED_MAX: u8 = 4;

/// A TLS handshake takes at most so many sends and receives.
const HANDSHAKE_EVENTS_MAX: u32 = 16;

#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) info: Connection,
    pub(super) tgid: u32,
    pub(super) upid: Upid,
    pub(super) speech: Speech,
    pub(super) judged: u8,
    pub(super) events: u32,
    /// As in `conn_stats`; 0 until a message of it was understood.
    pub(super) protocol: i64,
    pub(super) totals: Totals,
    pub(super) closed: bool,
    /// It is clear text, or the socket below such.
    pub(super) encrypted: bool,
    pub(super) contribution: Contribution,
    pub(super) peer: Upid,
    peer_asked_at: u64,
    /// Events behind a position that was not seen yet, in the order in which they came.
    pub(super) held: Vec<Held>,
}

impl Tracked {
    pub(super) fn new(stream: Stream) -> Self {
        let info = Connection { cookie: stream.cookie, ..Connection::default() };
        Tracked {
            speech: Speech::new(&info),
            info,
            tgid: 0,
            upid: Upid::NONE,
            judged: 0,
            events: 0,
            protocol: 0,
            totals: Totals::default(),
            closed: false,
            encrypted: stream.plain,
            contribution: Contribution::default(),
            peer: Upid::NONE,
            peer_asked_at: u64::MAX,
            held: Vec::new(),
        }
    }

    /// The clear text of a connection; of one that has been talking for long, it began before it was seen.
    pub(super) fn clear_text_of(below: &Tracked) -> Self {
        let older = below.info.opened_before_start || below.events > HANDSHAKE_EVENTS_MAX;
        let info = Connection { opened_before_start: older, ..below.info };
        let speech = Speech::new(&info);
        let clear = Tracked::new(Stream::of_clear_text(info.cookie));
        Tracked { speech, info, tgid: below.tgid, upid: below.upid, peer: below.peer, ..clear }
    }

    /// Whether something of that direction is missing before the segment.
    pub(super) fn is_ahead(&self, segment: &Segment<'_>) -> bool {
        self.speech.expected(segment.direction).is_some_and(|next| segment.position > next)
    }

    /// Finds the process at the other end, if it is traced here; asks again once a tick until it is found.
    pub(super) fn find_peer(&mut self, owners: &Owners) {
        if self.peer.is_some() || self.peer_asked_at == owners.now() || self.info.remote.port == 0 {
            return;
        }
        self.peer_asked_at = owners.now();
        self.peer = owners.peer(&self.info).unwrap_or(Upid::NONE);
    }

    pub(super) fn place(&self) -> Place<'_> {
        Place { info: &self.info, upid: self.upid, peer: self.peer, encrypted: self.encrypted }
    }
}
