//! The compressed protocol: packets within frames that are compressed each for itself.

use std::io::Read;

use super::frame::{HEADER_BYTES, header};

pub(super) const FRAME_HEADER_BYTES: usize = 7;
/// A frame is unpacked so far.
const UNPACKED_MAX: usize = 1 << 20;

/// How frames are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Zlib,
    Zstd,
}

/// What a frame holds, or as much of it as can be unpacked; and how long it is in full.
pub(super) fn unpack(method: Method, frame: &[u8]) -> (Vec<u8>, usize) {
    let Some((head, content)) = frame.split_at_checked(FRAME_HEADER_BYTES) else { return (Vec::new(), 0) };
    let length = u32::from_le_bytes([head[4], head[5], head[6], 0]) as usize;
    if length == 0 {
        let compressed = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
        return (content.to_vec(), compressed);
    }
    let mut out = Vec::new();
    let limit = length.min(UNPACKED_MAX) as u64;
    // What is cut or broken gives what was read before.
    let _ = match method {
        Method::Zlib => flate2::read::ZlibDecoder::new(content).take(limit).read_to_end(&mut out),
        Method::Zstd => match zstd::stream::read::Decoder::new(content) {
            Ok(decoder) => decoder.take(limit).read_to_end(&mut out),
            Err(error) => Err(error),
        },
    };
    (out, length)
}

/// Tells a whole frame of a connection whose login was not seen: packets that fit it exactly are in it.
pub(super) fn recognise(bytes: &[u8]) -> Option<Method> {
    let (length, sequence) = header(bytes)?;
    if sequence > 1 || length + FRAME_HEADER_BYTES != bytes.len() {
        return None;
    }
    let method =
        if bytes[FRAME_HEADER_BYTES..].starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) { Method::Zstd } else { Method::Zlib };
    let (content, unpacked) = unpack(method, bytes);
    if content.len() != unpacked {
        return None;
    }
    let mut rest = &content[..];
    let mut expected = sequence;
    while let Some((length, found)) = header(rest) {
        if found != expected || length == 0 {
            return None;
        }
        rest = rest.get(HEADER_BYTES + length..)?;
        expected = expected.wrapping_add(1);
    }
    (rest.is_empty() && !content.is_empty()).then_some(method)
}

/// Packets put together from what frames hold.
#[derive(Debug, Default)]
pub(super) struct Packets {
    held: Vec<u8>,
    /// Bytes of the packet in progress that pass without being kept.
    passing: usize,
}

impl Packets {
    /// Takes what a frame holds and gives each packet with its header, of its payload at most `keep` bytes.
    pub(super) fn take(&mut self, mut bytes: &[u8], keep: usize, mut packet: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            if self.passing > 0 {
                let passed = self.passing.min(bytes.len());
                self.passing -= passed;
                bytes = &bytes[passed..];
            } else {
                let wanted = match header(&self.held) {
                    Some((length, _)) => HEADER_BYTES + length.min(keep),
                    None => HEADER_BYTES,
                };
                let taken = (wanted - self.held.len()).min(bytes.len());
                self.held.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                let Some((length, _)) = header(&self.held) else { continue };
                if self.held.len() == HEADER_BYTES && taken > 0 && length > 0 {
                    continue;
                }
                if self.held.len() < HEADER_BYTES + length.min(keep) {
                    continue;
                }
                self.passing = length.saturating_sub(keep);
            }
            if self.passing == 0 {
                packet(&self.held);
                self.held.clear();
            }
        }
    }

    /// Something was missed.
    pub(super) fn reset(&mut self) {
        *self = Packets::default();
    }

    /// Whether no packet is in progress.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
