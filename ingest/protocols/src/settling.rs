//! Whether requests can be paired in order, after some may have been missed: the rest of a pipeline that was met in its
//! middle is answered behind what was not seen, so that it must not be paired.

/// After such a silence everything outstanding is taken to be answered.
const QUIET_NS: i64 = 200_000_000;

/// What is known since requests may have been missed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settling {
    settled: bool,
    /// Requests passed over, and answers since the first of them.
    passed: u32,
    answers: u32,
    last_ns: i64,
}

impl Settling {
    pub(crate) fn new(from_start: bool) -> Self {
        Settling { settled: from_start, passed: 0, answers: 0, last_ns: i64::MAX }
    }

    /// Requests may have been missed.
    pub(crate) fn missed(&mut self) {
        (self.settled, self.passed, self.answers) = (false, 0, 0);
    }

    /// Whether a request that starts now can be paired; else it is to be passed over.
    pub(crate) fn admits(&mut self, start_ns: i64) -> bool {
        let quiet = start_ns.saturating_sub(self.last_ns) > QUIET_NS;
        self.last_ns = start_ns;
        self.settled |= quiet || self.passed > 0 && self.answers >= self.passed;
        self.passed = if self.settled { 0 } else { self.passed.saturating_add(1) };
        self.settled
    }

    /// An answer ended.
    pub(crate) fn answered(&mut self, now_ns: i64) {
        self.last_ns = now_ns;
        self.answers = if self.passed > 0 { self.answers.saturating_add(1) } else { 0 };
    }
}
