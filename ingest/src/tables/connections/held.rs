//! Segments that wait: for one that should come before them, or until it is known what they are.

use watershed_protocols::{Direction, Segment};

/// A segment of its own.
#[derive(Debug)]
pub(super) struct Held {
    position: u64,
    length: u32,
    captured: Vec<u8>,
    direction: Direction,
    time_ns: i64,
}

impl Held {
    pub(super) fn of(segment: &Segment<'_>) -> Self {
        let Segment { position, length, captured, direction, time_ns } = *segment;
        Held { position, length, captured: captured.to_vec(), direction, time_ns }
    }

    pub(super) fn segment(&self) -> Segment<'_> {
        let Held { position, length, ref captured, direction, time_ns } = *self;
        Segment { position, length, captured, direction, time_ns }
    }

    pub(super) fn bytes(&self) -> usize {
        self.captured.len()
    }
}
