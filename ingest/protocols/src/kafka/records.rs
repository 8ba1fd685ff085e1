//! Counts records by the headers of their batches; what is in them, packed or not, is not looked at.

use crate::reader::Reader;

/// An offset and a length, before what the length counts.
const PREFIX_BYTES: usize = 12;
/// What a batch of format 2 has before its number of records, behind its format.
const BATCH_FIELDS_BYTES: usize = 34;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) records: i64,
    /// Of the first batch that is packed.
    pub(super) compression: Option<&'static str>,
    /// All batches were counted.
    pub(super) whole: bool,
}

/// Counts records in `size` bytes of batches, of which the beginning is seen. A broker cuts the last batch of an
/// answer where it is full: that one is of no use to the client and does not count. A packed message of formats 0 and
/// 1 counts as one.
pub(super) fn count(seen: &[u8], size: usize) -> Counted {
    let mut counted = Counted { records: 0, compression: None, whole: false };
    let mut at = 0_usize;
    while at + PREFIX_BYTES + 5 <= size {
        let Some((length, records, attributes)) = seen.get(at..).and_then(header) else { return counted };
        if at + PREFIX_BYTES + length > size {
            break;
        }
        counted.records = counted.records.saturating_add(records.into());
        counted.compression = counted.compression.or(match attributes & 7 {
            1 => Some("gzip"),
            2 => Some("snappy"),
            3 => Some("lz4"),
            4 => Some("zstd"),
            _ => None,
        });
        at += PREFIX_BYTES + length;
    }
    counted.whole = true;
    counted
}

/// The length of a batch, its number of records, and its attributes.
fn header(bytes: &[u8]) -> Option<(usize, u32, u16)> {
    let mut reader = Reader::new(bytes);
    let (_, length, _, format) = (reader.u64()?, reader.u32()?, reader.u32()?, reader.u8()?);
    if format < 2 {
        return Some((length as usize, 1, reader.u8()?.into()));
    }
    reader.u32()?;
    let attributes = reader.u16()?;
    reader.take(BATCH_FIELDS_BYTES)?;
    Some((length as usize, reader.u32()?, attributes))
}
