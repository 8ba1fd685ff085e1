//! Messages that are compressed.

use std::io::Read;

/// Larger windows are refused.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// A message that unpacks to more is not unpacked where that takes all of it.
const UNPACKED_MAX: usize = 1 << 20;

/// The first `limit` bytes of what was packed with a compressor of that number, as far as it was captured.
pub(super) fn unpack(compressor: u8, packed: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = match compressor {
        0 => packed.to_vec(),
        1 => snappy(packed)?,
        2 => drain(flate2::read::ZlibDecoder::new(packed), limit),
        3 => {
            let mut reader = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
            reader.window_log_max(ZSTD_WINDOW_LOG_MAX).ok()?;
            drain(reader, limit)
        }
        _ => return None,
    };
    out.truncate(limit);
    Some(out).filter(|out| !out.is_empty())
}

fn snappy(packed: &[u8]) -> Option<Vec<u8>> {
    let length = snap::raw::decompress_len(packed).ok()?;
    if length > UNPACKED_MAX {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(packed).ok()
}

/// An error is the end of what was captured: what came before it stands.
fn drain(mut reader: impl Read, limit: usize) -> Vec<u8> {
    let (mut out, mut chunk) = (Vec::new(), [0_u8; 1024]);
    while out.len() < limit {
        match reader.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(read) => out.extend_from_slice(&chunk[..read]),
        }
    }
    out
}
