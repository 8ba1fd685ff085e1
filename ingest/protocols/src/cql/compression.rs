//! Bodies and segments that are compressed.

/// A body is unpacked so far.
const UNPACKED_MAX: usize = 1 << 20;

/// What a body is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Lz4,
    Snappy,
}

/// Unpacks the body of an envelope, which has to be there in full.
pub(super) fn body(method: Option<Method>, bytes: &[u8]) -> Option<Vec<u8>> {
    match method {
        Some(Method::Lz4) => lz4_body(bytes),
        Some(Method::Snappy) => snappy(bytes),
        // The choice was not seen.
        None => lz4_body(bytes).or_else(|| snappy(bytes)),
    }
}

fn lz4_body(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, block) = bytes.split_first_chunk::<4>()?;
    lz4(block, u32::from_be_bytes(*length) as usize)
}

/// Unpacks a block to exactly `length` bytes.
pub(super) fn lz4(block: &[u8], length: usize) -> Option<Vec<u8>> {
    if length > UNPACKED_MAX {
        return None;
    }
    lz4_flex::block::decompress(block, length).ok().filter(|out| out.len() == length)
}

fn snappy(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = snap::raw::decompress_len(bytes).ok()?;
    if length > UNPACKED_MAX {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(bytes).ok()
}
