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
    /// Transfers that were passed over because, behind bytes that were lost or not copied, it is not known where
    /// messages begin.
    pub out_of_step: u64,
    /// Bytes of them.
    pub out_of_step_bytes: u64,
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
        self.out_of_step += more.out_of_step;
        self.out_of_step_bytes = self.out_of_step_bytes.saturating_add(more.out_of_step_bytes);
        self.overflows += more.overflows;
    }
}
