//! Frames: flags, an opcode, a length, a mask of the client's, a payload.

use crate::protocol::Side;
use crate::reader::Reader;

pub(super) const CONTINUATION: u8 = 0;
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The longest head: flags, length in 8 bytes, mask.
pub(super) const HEAD_BYTES_MAX: usize = 14;
/// A longer payload is taken for garbage, lest one wrong length swallow a connection.
const PAYLOAD_MAX: u64 = 1 << 32;
const CONTROL_PAYLOAD_MAX: u64 = 125;

/// What every frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The last frame of its message.
    pub(super) last: bool,
    /// First frame of a message that an extension (`permessage-deflate`) changed.
    pub(super) compressed: bool,
    pub(super) opcode: u8,
    /// What the payload is masked with; clients do, servers do not.
    pub(super) mask: Option<[u8; 4]>,
    /// Bytes before the payload.
    pub(super) bytes: usize,
    /// Bytes of the payload.
    pub(super) payload: u64,
}

/// What the beginning of a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Head(Head),
    /// It takes more bytes to tell.
    More,
    /// No frame.
    Invalid,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Read {
        let Some(first) = bytes.first() else { return Read::More };
        let (last, reserved, opcode) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        let compressed = reserved == 4;
        let valid = match opcode {
            TEXT | BINARY => reserved & 3 == 0,
            CONTINUATION => reserved == 0,
            CLOSE | PING | PONG => last && reserved == 0,
            _ => false,
        };
        let Some(second) = bytes.get(1).filter(|_| valid) else {
            return if valid { Read::More } else { Read::Invalid };
        };
        let mut reader = Reader::new(&bytes[2..]);
        let (payload, least) = match second & 127 {
            126 => (reader.u16().map(u64::from), 126),
            127 => (reader.u64(), 1 << 16),
            short => (Some(u64::from(short)), 0),
        };
        let Some(payload) = payload else { return Read::More };
        let most = if opcode & 8 != 0 { CONTROL_PAYLOAD_MAX } else { PAYLOAD_MAX };
        if !(least..=most).contains(&payload) {
            return Read::Invalid;
        }
        let masked = second & 128 != 0;
        let mask = if masked { reader.array::<4>() } else { None };
        if masked && mask.is_none() {
            return Read::More;
        }
        Read::Head(Head { last, compressed, opcode, mask, bytes: bytes.len() - reader.rest().len(), payload })
    }

    /// Bytes on the wire.
    pub(super) fn total(&self) -> u64 {
        self.bytes as u64 + self.payload
    }

    /// Of a message of its own, which may come between the fragments of another.
    pub(super) fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }

    /// Who sends such frames.
    pub(super) fn side(&self) -> Side {
        if self.mask.is_some() { Side::Client } else { Side::Server }
    }

    /// The beginning of the payload as it was meant.
    pub(super) fn unmasked<'a>(&self, payload: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
        let mask = self.mask.unwrap_or_default();
        payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask)
    }
}
