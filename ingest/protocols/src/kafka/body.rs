//! Reads what flexible versions add: numbers of variable length and tagged fields.

use crate::reader::Reader;

/// A number of seven bits a byte, the lowest first.
pub(super) fn unsigned(reader: &mut Reader<'_>) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let byte = reader.u8()?;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Passes over tagged fields.
pub(super) fn skip_tags(reader: &mut Reader<'_>) -> Option<()> {
    for _ in 0..unsigned(reader)? {
        unsigned(reader)?;
        let size = unsigned(reader)? as usize;
        reader.take(size)?;
    }
    Some(())
}
