//! Whether requests can be paired in order, after some may have been missed: the rest of a pipeline that was met in its
//! middle is answered behind what was not seen, so that it must not be paired.

/// After such a silence everything outstanding is taken to be answered.
const QUIET_NS: i64 = 200_000_000;

/// What is known since requests may have been missed: a request that alone was answered before the next one shows that
/// nothing else is outstanding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settling {
    settled: bool,
    /// Requests since the last answer.
    asked: u32,
    /// The last answer came after exactly one request.
    alone: bool,
    last_ns: i64,
}

impl Settling {
    pub(crate) fn new(from_start: bool) -> Self {
        Settling { settled: from_start, asked: 0, alone: false, last_ns: i64::MAX }
    }

    /// Requests may have been missed.
    pub(crate) fn missed(&mut self) {
        (self.settled, self.asked, self.alone) = (false, 0, false);
    }

    /// An answer came that nothing asked for: a request was missed, or comes late.
    pub(crate) fn unsettle(&mut self) {
        self.settled = false;
    }

    /// Whether a request that starts now can be paired; else it is to be passed over.
    pub(crate) fn admits(&mut self, start_ns: i64) -> bool {
        let quiet = start_ns.saturating_sub(self.last_ns) > QUIET_NS;
        self.last_ns = start_ns;
        self.settled |= quiet || self.alone && self.asked == 0;
        self.alone = false;
        self.asked = self.asked.saturating_add(1);
        self.settled
    }

    /// An answer ended.
    pub(crate) fn answered(&mut self, now_ns: i64) {
        self.last_ns = now_ns;
        self.alone = self.asked == 1;
        self.asked = 0;
    }
}
