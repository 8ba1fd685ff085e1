//! Frames: a type, a channel, a size, a payload, and an octet that ends them.

use crate::reader::Reader;

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// What a connection begins with.
pub(super) const PROTOCOL: &[u8; 8] = b"AMQP\0\0\x09\x01";
pub(super) const HEAD_BYTES: usize = 7;
pub(super) const END: u8 = 0xce;
/// Servers refuse frames larger than a few hundred KiB unless they are told otherwise.
const SIZE_MAX: u32 = 64 << 20;

/// What every frame begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) kind: u8,
    pub(super) channel: u16,
    /// Bytes of the payload.
    pub(super) size: usize,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (kind, channel, size) = (reader.u8()?, reader.u16()?, reader.u32()?);
        let sized = match kind {
            METHOD => (4..=SIZE_MAX).contains(&size),
            HEADER => (14..=SIZE_MAX).contains(&size) && channel > 0,
            BODY => size <= SIZE_MAX && channel > 0,
            HEARTBEAT => size == 0 && channel == 0,
            _ => false,
        };
        sized.then_some(Head { kind, channel, size: size as usize })
    }

    /// Bytes on the wire.
    pub(super) fn total(self) -> usize {
        HEAD_BYTES + self.size + 1
    }
}
