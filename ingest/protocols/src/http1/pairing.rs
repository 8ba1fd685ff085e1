//! Whether a response can be told to belong to a request after something was not seen. In doubt it cannot.

/// What to do with a response that begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers the oldest unanswered request.
    Answers,
    /// Its request is still on its way through the rings.
    Early,
    /// Its request is older than the first thing that was seen.
    Older,
    /// Its request was not seen.
    Unknown,
    /// Any of the waiting requests may be its own, or none: all of them are given up.
    Ambiguous,
}

/// Evidence about one connection.
#[derive(Debug)]
pub(super) struct Pairing {
    /// Everything was seen from the first byte on.
    pub(super) whole: bool,
    /// A request may be outstanding that is not known.
    stale: bool,
    /// Responses may have been missed since the last pair.
    responses_missed: bool,
    /// Requests that were waiting when requests were missed: their responses come first.
    before_gap: usize,
    /// The client was seen to send without waiting for the answer.
    pipelined: bool,
    /// The connection was met in the middle, and no request was seen on it yet.
    older: bool,
    /// The connection was met in the middle.
    pub(super) met_late: bool,
}

impl Pairing {
    pub(super) fn new() -> Self {
        Pairing {
            whole: true,
            stale: false,
            responses_missed: false,
            before_gap: 0,
            pipelined: false,
            older: false,
            met_late: false,
        }
    }

    /// The connection is met in the middle.
    pub(super) fn started_late(&mut self) {
        self.whole = false;
        self.stale = true;
    }

    /// The connection is older than whoever looks at it.
    pub(super) fn is_older(&mut self) {
        self.started_late();
        self.older = true;
        self.met_late = true;
    }

    /// A request begins; whether no other waits for its response and the responses can be followed.
    pub(super) fn saw_request(&mut self, alone: bool) {
        self.older = false;
        // Every request was seen and none is outstanding: what was missed were answers to those.
        self.responses_missed &= !alone || self.stale;
    }

    /// Something was missed before it was known which side asks.
    pub(super) fn anything_missed(&mut self) {
        self.started_late();
        self.responses_missed = true;
    }

    /// Whether pairs cannot be told before everything outstanding has been answered.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.stale || self.responses_missed
    }

    /// Everything that was outstanding has been answered.
    pub(super) fn resynchronised(&mut self) {
        (self.stale, self.responses_missed, self.before_gap) = (false, false, 0);
    }

    pub(super) fn requests_missed(&mut self, waiting: usize) {
        self.whole = false;
        self.stale = true;
        self.before_gap = waiting;
    }

    pub(super) fn responses_missed(&mut self) {
        self.whole = false;
        self.responses_missed = true;
        self.before_gap = 0;
    }

    /// Two requests were seen in one event.
    pub(super) fn saw_pipelining(&mut self) {
        self.pipelined = true;
    }

    /// A response begins while so many requests wait for theirs. Without pipelining a client has one request
    /// outstanding, so one that waits alone is the one that is answered.
    pub(super) fn respond(&mut self, waiting: usize) -> Verdict {
        if waiting == 0 {
            return match (self.whole, self.older) {
                (true, _) => Verdict::Early,
                (false, true) => Verdict::Older,
                (false, false) => Verdict::Unknown,
            };
        }
        if self.responses_missed {
            // The one that waits may have been answered unseen, and the next one asked unseen.
            self.responses_missed = false;
            self.stale = true;
            return Verdict::Ambiguous;
        }
        if self.before_gap > 0 {
            self.before_gap -= 1;
            return Verdict::Answers;
        }
        self.pipelined |= waiting > 1;
        if self.stale && self.pipelined { Verdict::Ambiguous } else { Verdict::Answers }
    }
}
