//! One direction of a connection: bytes by position to frames. Keeps at most the wanted beginning of one frame; a
//! frame whose length is known stays in step however much of it passed unseen.

use crate::exchange::Span;

/// A frame without a known end is not waited for longer than so many bytes.
pub(crate) const BUFFER_MAX: usize = 64 << 10;
/// A larger buffer is freed as soon as it is empty.
const KEPT_CAPACITY: usize = 512;

/// A frame of which the end is known and not reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    /// Wire bytes that have to pass.
    pub(crate) left: u64,
    /// Bytes wanted in the buffer.
    pub(crate) keep: usize,
}

/// What is known of a direction between two segments.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Position of the next byte; `None` before the first segment.
    pub(crate) next: Option<u64>,
    /// The beginning of the frame in progress, without what was elided.
    pub(crate) buffer: Vec<u8>,
    pub(crate) pending: Option<Pending>,
    /// Content to leave out at the end of the buffer.
    pub(crate) skip: u64,
    /// Bytes of the frame in progress that are not in the buffer and not left.
    pub(crate) elided: u64,
    /// Something of the frame in progress that was wanted was not seen.
    pub(crate) cut: bool,
    /// When the first byte of the frame in progress passed.
    pub(crate) since_ns: i64,
    pub(crate) last_ns: i64,
    /// Where frames start is not known.
    pub(crate) lost: bool,
    /// It was, until bytes were lost or not copied.
    pub(crate) torn: bool,
}

impl Stream {
    /// Begins the next frame.
    pub(crate) fn reset(&mut self, time_ns: i64) {
        if self.buffer.capacity() > KEPT_CAPACITY {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        (self.pending, self.skip, self.elided, self.cut, self.since_ns) = (None, 0, 0, false, time_ns);
    }

    /// Whether a frame is in progress.
    pub(crate) fn in_frame(&self) -> bool {
        !self.buffer.is_empty() || self.pending.is_some() || self.skip > 0 || self.elided > 0
    }

    /// The span of a frame that ends now, with `visible` bytes and those that were elided.
    pub(crate) fn span(&self, visible: u64, time_ns: i64) -> Span {
        Span { start_ns: self.since_ns, end_ns: time_ns, bytes: visible + self.elided }
    }

    /// Passes over up to `count` bytes of the frame in progress; returns how many. `unseen` bytes mark it cut where
    /// they were wanted.
    pub(crate) fn pass(&mut self, count: u64, lost: bool) -> u64 {
        if self.skip > 0 {
            let passed = self.skip.min(count);
            self.skip -= passed;
            self.elided += passed;
            self.cut = true;
            return passed;
        }
        let buffered = self.buffer.len();
        let Some(pending) = &mut self.pending else { return 0 };
        let passed = pending.left.min(count);
        pending.left -= passed;
        self.elided += passed;
        self.cut |= lost || buffered < pending.keep;
        // What comes after the hole is not the continuation of what is buffered.
        pending.keep = pending.keep.min(buffered);
        passed
    }

    /// Takes captured bytes of a pending frame or of what is to be skipped; returns how many.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> usize {
        let available = bytes.len() as u64;
        if self.skip > 0 {
            let taken = self.skip.min(available);
            self.skip -= taken;
            self.elided += taken;
            return taken as usize;
        }
        let Some(pending) = &mut self.pending else { return 0 };
        let taken = pending.left.min(available) as usize;
        let kept = pending.keep.saturating_sub(self.buffer.len()).min(taken);
        self.buffer.extend_from_slice(&bytes[..kept]);
        self.elided += (taken - kept) as u64;
        pending.left -= taken as u64;
        taken
    }
}
