//! Packets: three bytes of length, a sequence number, a payload.

use crate::reader::Reader;

pub(super) const HEADER_BYTES: usize = 4;
/// A payload of this length goes on in the next packet.
pub(super) const LENGTH_MAX: usize = 0xff_ffff;

pub(super) const QUIT: u8 = 0x01;
pub(super) const INIT_DB: u8 = 0x02;
pub(super) const QUERY: u8 = 0x03;
pub(super) const FIELD_LIST: u8 = 0x04;
pub(super) const STATISTICS: u8 = 0x09;
/// Never sent; stands for the login.
pub(super) const CONNECT: u8 = 0x0b;
pub(super) const CHANGE_USER: u8 = 0x11;
pub(super) const BINLOG_DUMP: u8 = 0x12;
pub(super) const STMT_PREPARE: u8 = 0x16;
pub(super) const STMT_EXECUTE: u8 = 0x17;
pub(super) const STMT_SEND_LONG_DATA: u8 = 0x18;
pub(super) const STMT_CLOSE: u8 = 0x19;
pub(super) const STMT_RESET: u8 = 0x1a;
pub(super) const STMT_FETCH: u8 = 0x1c;
pub(super) const BINLOG_DUMP_GTID: u8 = 0x1e;
/// MariaDB's execution of many rows.
pub(super) const STMT_BULK_EXECUTE: u8 = 0xfa;

/// Length and sequence number of a packet.
pub(super) fn header(bytes: &[u8]) -> Option<(usize, u8)> {
    let [a, b, c, sequence] = *bytes.first_chunk::<4>()?;
    Some((u32::from_le_bytes([a, b, c, 0]) as usize, sequence))
}

/// A number whose length depends on its first byte.
pub(super) fn number(reader: &mut Reader<'_>) -> Option<u64> {
    match reader.u8()? {
        small @ ..251 => Some(small.into()),
        252 => reader.u16_le().map(u64::from),
        253 => reader.array().map(|[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]).into()),
        254 => reader.array().map(u64::from_le_bytes),
        251 | 255 => None,
    }
}

/// Whether a payload is a command that is known.
pub(super) fn is_command(payload: &[u8]) -> bool {
    matches!(payload.first(), Some(1..=10 | 12..=14 | 17..=28 | 30 | 31 | 0xfa))
}
