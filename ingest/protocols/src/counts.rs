//! What a parser saw that is not an exchange.

/// Cumulative since the last time it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Exchanges handed out.
    pub exchanges: u64,
    /// Requests whose response cannot be told after a gap.
    pub unpaired_requests: u64,
    /// Responses whose request was not seen.
    pub unpaired_responses: u64,
    /// Requests that were never answered before their connection closed.
    pub unanswered_requests: u64,
    /// Places where what had to be a message was none.
    pub garbage: u64,
    /// Gaps in a direction.
    pub gaps: u64,
    /// Bytes in those gaps.
    pub gap_bytes: u64,
    /// Transfers that were passed over since the last one of their direction whose messages could be told apart: not
    /// all of it was copied.
    pub uncopied: u64,
    /// Bytes of them that were passed over, copied or not.
    pub uncopied_bytes: u64,
    /// Requests dropped because too many waited for a response.
    pub overflows: u64,
}

impl Counts {
    /// Adds what another parser saw.
    pub fn add(&mut self, more: &Counts) {
        self.exchanges += more.exchanges;
        self.unpaired_requests += more.unpaired_requests;
        self.unpaired_responses += more.unpaired_responses;
        self.unanswered_requests += more.unanswered_requests;
        self.garbage += more.garbage;
        self.gaps += more.gaps;
        self.gap_bytes = self.gap_bytes.saturating_add(more.gap_bytes);
        self.uncopied += more.uncopied;
        self.uncopied_bytes = self.uncopied_bytes.saturating_add(more.uncopied_bytes);
        self.overflows += more.overflows;
    }
}
