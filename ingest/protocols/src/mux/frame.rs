//! Messages: a size, a type, a tag, a body.

use crate::reader::Reader;

pub(super) const REQUEST: i8 = 1;
pub(super) const DISPATCH: i8 = 2;
pub(super) const DRAIN: i8 = 64;
pub(super) const PING: i8 = 65;
pub(super) const DISCARDED: i8 = 66;
pub(super) const LEASE: i8 = 67;
pub(super) const INIT: i8 = 68;
/// An error of the session, for any T message.
pub(super) const ERROR: i8 = -128;
/// What old implementations send for [`ERROR`] and [`DISCARDED`].
const OLD_ERROR: i8 = 127;
const OLD_DISCARDED: i8 = -62;

pub(super) const HEAD_BYTES: usize = 8;
const SIZE_MAX: u32 = 256 << 20;
/// Set on all fragments of a message but its last.
const FRAGMENT: u32 = 1 << 23;

/// What every message begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// Bytes of the body.
    pub(super) body: usize,
    /// Above 0 a T message; below the R message that answers it. Without the types of old implementations.
    pub(super) kind: i8,
    pub(super) tag: u32,
    /// More of the same message follows.
    pub(super) fragment: bool,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let size = reader.u32().filter(|size| (4..=SIZE_MAX).contains(size))?;
        let kind = match i8::from_be_bytes([reader.u8()?]) {
            OLD_ERROR => ERROR,
            OLD_DISCARDED => DISCARDED,
            kind => kind,
        };
        let [high, middle, low] = reader.array::<3>()?;
        let tag = u32::from_be_bytes([0, high, middle, low]);
        let body = size as usize - 4;
        let sized = match kind {
            REQUEST | -1 => body >= 1,
            DISPATCH | -2 if tag & FRAGMENT != 0 => true,
            DISPATCH => body >= 6,
            -2 => body >= 3,
            DRAIN | PING | -64 | -65 | -66 => body == 0,
            DISCARDED => body >= 3,
            LEASE => body == 9,
            INIT | -68 => body >= 2,
            ERROR => true,
            _ => false,
        };
        let (fragment, tag) = (tag & FRAGMENT != 0, tag & !FRAGMENT);
        sized.then_some(Head { body, kind, tag, fragment })
    }

    /// Bytes on the wire.
    pub(super) fn total(self) -> usize {
        HEAD_BYTES + self.body
    }
}
