//! Content codings of bodies. Decodes what can be decoded of a body that is cut off, up to a limit, with memory that
//! does not depend on what the input claims.

use std::io::Read;

/// How a body is coded (`Content-Encoding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As it is.
    #[default]
    Identity,
    /// gzip (also `x-gzip`).
    Gzip,
    /// zlib, or raw deflate as some servers send it.
    Deflate,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
    /// A coding that is not known, or several on top of each other: the bytes are kept as they are.
    Other,
}

impl Encoding {
    /// The coding that a header value names.
    #[must_use]
    pub fn of_header(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        let is = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if value.is_empty() || is("identity") => Encoding::Identity,
            () if is("gzip") || is("x-gzip") => Encoding::Gzip,
            () if is("deflate") => Encoding::Deflate,
            () if is("br") => Encoding::Brotli,
            () if is("zstd") => Encoding::Zstd,
            () => Encoding::Other,
        }
    }
}

/// Windows larger than this are refused: a body of a few KiB cannot need them.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Decodes bodies into one buffer that is used again.
#[derive(Debug, Default)]
pub struct Decoder {
    decoded: Vec<u8>,
}

impl Decoder {
    /// The first `limit` bytes of a body, decoded as far as its captured beginning allows. A body that is not what
    /// its header says comes back as it is.
    pub fn decode<'a>(&'a mut self, encoding: Encoding, raw: &'a [u8], limit: usize) -> &'a [u8] {
        self.decoded.clear();
        if raw.is_empty() {
            return raw;
        }
        match encoding {
            Encoding::Identity | Encoding::Other => return &raw[..raw.len().min(limit)],
            Encoding::Gzip => self.drain(flate2::read::GzDecoder::new(raw), limit),
            Encoding::Deflate => {
                self.drain(flate2::read::ZlibDecoder::new(raw), limit);
                if self.decoded.is_empty() {
                    self.drain(flate2::read::DeflateDecoder::new(raw), limit);
                }
            }
            Encoding::Brotli => self.drain(brotli_decompressor::Decompressor::new(raw, 4096), limit),
            Encoding::Zstd => {
                if let Ok(mut reader) = zstd::stream::read::Decoder::with_buffer(raw)
                    && reader.window_log_max(ZSTD_WINDOW_LOG_MAX).is_ok()
                {
                    self.drain(reader, limit);
                }
            }
        }
        if self.decoded.is_empty() { &raw[..raw.len().min(limit)] } else { &self.decoded }
    }

    fn drain(&mut self, mut reader: impl Read, limit: usize) {
        let mut chunk = [0_u8; 512];
        while self.decoded.len() < limit {
            let room = chunk.len().min(limit - self.decoded.len());
            // An error is the end of what was captured: what came before it stands.
            match reader.read(&mut chunk[..room]) {
                Ok(0) | Err(_) => return,
                Ok(read) => self.decoded.extend_from_slice(&chunk[..read]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn whole_and_cut_bodies_decode_as_far_as_they_go() {
        let text: Vec<u8> =
            (0..4000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect();
        let zstd = zstd::encode_all(&text[..], 3).unwrap();
        for (encoding, raw) in [(Encoding::Gzip, gzip(&text)), (Encoding::Zstd, zstd)] {
            let mut decoder = Decoder::default();
            assert_eq!(decoder.decode(encoding, &raw, usize::MAX), text);
            assert_eq!(decoder.decode(encoding, &raw, 100), &text[..100]);
        }
        let raw = gzip(&text);
        let mut decoder = Decoder::default();
        let cut = decoder.decode(Encoding::Gzip, &raw[..raw.len() / 2], usize::MAX);
        assert!(cut.len() > 1000 && text.starts_with(cut));
    }

    #[test]
    fn a_body_that_is_not_what_its_header_says_comes_back_as_it_is() {
        let mut decoder = Decoder::default();
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Other] {
            assert_eq!(decoder.decode(encoding, b"{\"plain\": 1}", 64), b"{\"plain\": 1}", "{encoding:?}");
        }
    }

    #[test]
    fn header_values_are_recognised_in_any_case() {
        assert_eq!(Encoding::of_header(b" GZip "), Encoding::Gzip);
        assert_eq!(Encoding::of_header(b"gzip, br"), Encoding::Other);
        assert_eq!(Encoding::of_header(b"identity"), Encoding::Identity);
    }
}
