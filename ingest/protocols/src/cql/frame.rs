//! Envelopes (a header of nine bytes and a body), and the segments with checksums that version 5 puts them in.

use crate::protocol::Side;
use crate::reader::Reader;

pub(super) const HEADER_BYTES: usize = 9;
const BODY_BYTES_MAX: u32 = 256 << 20;

pub(super) const ERROR: u8 = 0x00;
pub(super) const STARTUP: u8 = 0x01;
pub(super) const QUERY: u8 = 0x07;
pub(super) const RESULT: u8 = 0x08;
pub(super) const PREPARE: u8 = 0x09;
pub(super) const EXECUTE: u8 = 0x0a;
pub(super) const EVENT: u8 = 0x0c;
pub(super) const BATCH: u8 = 0x0d;

pub(super) const COMPRESSED: u8 = 0x01;
pub(super) const TRACED: u8 = 0x02;
pub(super) const PAYLOAD: u8 = 0x04;
pub(super) const WARNED: u8 = 0x08;

/// The header of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) side: Side,
    pub(super) version: u8,
    pub(super) flags: u8,
    pub(super) stream: i16,
    pub(super) opcode: u8,
    pub(super) length: u32,
}

impl Header {
    /// Reads a header whose fields can all be; `None` also for too few bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<Header> {
        let mut reader = Reader::new(bytes);
        let (version, flags, stream) = (reader.u8()?, reader.u8()?, reader.i16()?);
        let (opcode, length) = (reader.u8()?, reader.u32()?);
        let side = if version & 0x80 == 0 { Side::Client } else { Side::Server };
        let version = version & 0x7f;
        let fits = match side {
            Side::Client => matches!(opcode, 1 | 5 | 7 | 9..=11 | 13 | 15) && stream >= 0,
            Side::Server => matches!(opcode, 0 | 2 | 3 | 6 | 8 | 12 | 14 | 16) && (stream >= 0) == (opcode != EVENT),
        };
        let known = (3..=5).contains(&version) && flags & 0xe0 == 0 && fits && length <= BODY_BYTES_MAX;
        known.then_some(Header { side, version, flags, stream, opcode, length })
    }
}

impl Header {
    /// Reads the header of an envelope that is in no segment: version 5 has those only while a session is agreed on.
    pub(super) fn read_bare(bytes: &[u8]) -> Option<Header> {
        Header::read(bytes).filter(|header| header.version < 5 || matches!(header.opcode, 0..=3 | 5 | 6))
    }
}

/// The header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Bytes of its header.
    pub(super) header: usize,
    /// Bytes of its payload on the wire.
    pub(super) length: usize,
    /// Bytes that the payload unpacks to; `None` where it is not compressed.
    pub(super) unpacked: Option<usize>,
    /// It holds whole envelopes, else a part of a long one.
    pub(super) whole: bool,
}

impl Segment {
    /// Reads a header whose checksum is right.
    pub(super) fn read(bytes: &[u8]) -> Option<Segment> {
        Self::plain(bytes).or_else(|| Self::compressed(bytes))
    }

    fn plain(bytes: &[u8]) -> Option<Segment> {
        let [a, b, c, crc @ ..] = *bytes.first_chunk::<6>()?;
        let fields = u32::from_le_bytes([a, b, c, 0]);
        let length = (fields & 0x1_ffff) as usize;
        let right = crc24(&[a, b, c]) == u32::from_le_bytes([crc[0], crc[1], crc[2], 0]) && fields >> 18 == 0;
        let segment = Segment { header: 6, length, unpacked: None, whole: fields >> 17 & 1 == 1 };
        (right && length > 0).then_some(segment)
    }

    fn compressed(bytes: &[u8]) -> Option<Segment> {
        let [a, b, c, d, e, crc @ ..] = *bytes.first_chunk::<8>()?;
        let fields = u64::from_le_bytes([a, b, c, d, e, 0, 0, 0]);
        let (length, unpacked) = ((fields & 0x1_ffff) as usize, (fields >> 17 & 0x1_ffff) as usize);
        let right = crc24(&[a, b, c, d, e]) == u32::from_le_bytes([crc[0], crc[1], crc[2], 0]) && fields >> 35 == 0;
        let unpacked = if unpacked == 0 { None } else { Some(unpacked) };
        let segment = Segment { header: 8, length, unpacked, whole: fields >> 34 & 1 == 1 };
        (right && length > 0).then_some(segment)
    }

    /// Bytes on the wire, with the checksum at its end.
    pub(super) fn total(&self) -> usize {
        self.header + self.length + 4
    }
}

/// The checksum of a segment's header (native protocol v5, section 2).
pub(super) fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x87_5060_u32;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x100_0000 != 0 {
                crc ^= 0x197_4f0b;
            }
        }
    }
    crc
}

/// The checksum of a segment's payload.
pub(super) fn crc32(payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[0xfa, 0x2d, 0x55, 0xca]);
    hasher.update(payload);
    hasher.finalize()
}
