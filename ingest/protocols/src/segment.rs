//! What parsers eat: bytes of one direction of one connection, placed by position.

/// Which way bytes went, seen from the traced process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the traced process to its peer.
    Sent,
    /// From the peer to the traced process.
    Received,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn reverse(self) -> Self {
        match self {
            Direction::Sent => Direction::Received,
            Direction::Received => Direction::Sent,
        }
    }
}

/// One send or receive: `length` bytes passed, of which the first `captured.len()` can be seen.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// Offset of the first byte in its direction.
    pub position: u64,
    /// Bytes that passed.
    pub length: u32,
    /// Their beginning, at most `length` bytes; what is missing was elided, not lost.
    pub captured: &'a [u8],
    /// Which way they went.
    pub direction: Direction,
    /// When, in nanoseconds of any clock that all segments share.
    pub time_ns: i64,
}

impl Segment<'_> {
    /// What of it lies at `position` and behind, if anything.
    #[must_use]
    pub fn from(&self, position: u64) -> Option<Self> {
        let before = position.saturating_sub(self.position);
        let length = u32::try_from(u64::from(self.length).checked_sub(before)?).ok().filter(|length| *length > 0)?;
        let captured = self.captured.get(usize::try_from(before).ok()?..).unwrap_or_default();
        Some(Segment { position: self.position + before, length, captured, ..*self })
    }
}
