//! Whether a buffer starts with a message: its header, and the first document's beginning.

use super::bson;
use super::frame::{COMPRESSED, HEADER_BYTES, Header, MSG, QUERY, REPLY};
use crate::protocol::{Inference, Side};
use crate::reader::Reader;

/// Scores the beginning of a buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    if bytes.len() < HEADER_BYTES {
        let plausible = bytes.len() < 4 || matches!(bytes[3], 0..=2);
        return Inference { score: if plausible { 10 } else { 0 }, side: None };
    }
    let Some(header) = Header::read(bytes) else { return Inference::NO };
    let side = match header.opcode {
        REPLY => Side::Server,
        MSG | COMPRESSED if header.response_to != 0 => Side::Server,
        _ if header.response_to != 0 => return Inference::NO,
        _ => Side::Client,
    };
    match body(header, &bytes[HEADER_BYTES..]) {
        Some(true) => Inference::of(side, 98),
        Some(false) => Inference::NO,
        None => Inference::of(side, 60),
    }
}

/// Whether a body is what its header says; `None` where there is too little of it.
fn body(header: Header, bytes: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(bytes);
    let left = header.length - HEADER_BYTES;
    match header.opcode {
        MSG => {
            let flags = reader.u32_le()?;
            let kind = reader.u8()?;
            let length = reader.u32_le()? as usize;
            if flags & 0xfffe_fffc != 0 || kind > 1 || !(5..=left - 5).contains(&length) {
                return Some(false);
            }
            Some(kind == 1 || document(reader, length)?)
        }
        COMPRESSED => {
            let opcode = reader.i32_le()?;
            let unpacked = reader.i32_le()?;
            let compressor = reader.u8()?;
            Some(matches!(opcode, REPLY | QUERY | MSG) && (9..=48_016_384).contains(&unpacked) && compressor <= 3)
        }
        QUERY => {
            let flags = reader.u32_le()?;
            if flags & !0xff != 0 {
                return Some(false);
            }
            let name = bson::text(&mut reader)?;
            Some(name.contains(&b'.') && name.iter().all(|byte| !byte.is_ascii_control()))
        }
        REPLY => {
            let flags = reader.u32_le()?;
            reader.i64_le()?;
            let (_, count) = (reader.u32_le()?, reader.u32_le()?);
            if flags & !0xf != 0 || count > 1_000_000 {
                return Some(false);
            }
            Some(
                count == 0
                    || reader.u32_le().is_none_or(|length| (5..=left.saturating_sub(20)).contains(&(length as usize))),
            )
        }
        // A message that says nothing more about itself.
        _ => None,
    }
}

fn document(mut reader: Reader<'_>, length: usize) -> Option<bool> {
    let kind = reader.u8()?;
    Some(match kind {
        0 => length == 5,
        1..=0x13 | 0x7f | 0xff => reader.u8()? >= b' ',
        _ => false,
    })
}
