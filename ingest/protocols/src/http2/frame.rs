//! Frame headers (RFC 9113, section 4) and what is allowed in them.

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const HEADER_BYTES: usize = 9;
const LENGTH_MAX: u32 = 1 << 20;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// A frame's first nine bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Header> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEADER_BYTES>()?;
        Some(Header { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream: u32::from_be_bytes(stream) })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the fields go together.
    pub(super) fn is_sound(&self) -> bool {
        if self.length > LENGTH_MAX || self.stream >> 31 != 0 {
            return false;
        }
        let flags = |allowed: u8| self.flags & !allowed == 0;
        let on_stream = self.stream != 0;
        match self.kind {
            DATA => on_stream && flags(END_STREAM | PADDED),
            HEADERS => on_stream && flags(END_STREAM | END_HEADERS | PADDED | PRIORITY) && self.length > 0,
            2 => on_stream && self.length == 5 && flags(0),
            RST_STREAM => on_stream && self.length == 4 && flags(0),
            SETTINGS => !on_stream && self.length.is_multiple_of(6) && self.length <= 600 && flags(1),
            PUSH_PROMISE => on_stream && self.length > 4 && flags(END_HEADERS | PADDED),
            6 => !on_stream && self.length == 8 && flags(1),
            GOAWAY => !on_stream && self.length >= 8 && flags(0),
            8 => self.length == 4 && flags(0),
            CONTINUATION => on_stream && flags(END_HEADERS),
            // Extensions: ALTSVC, ORIGIN, PRIORITY_UPDATE.
            10 | 12 | 16 => flags(0),
            _ => false,
        }
    }

    /// The content without padding and priority; what is cut off is not there.
    pub(super) fn content<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let mut content = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let mut padding = 0;
        if self.has(PADDED) && matches!(self.kind, DATA | HEADERS | PUSH_PROMISE) {
            let Some((length, rest)) = content.split_first() else { return b"" };
            (padding, content) = (usize::from(*length), rest);
        }
        let whole = (self.length as usize).saturating_sub(padding + usize::from(self.has(PADDED)));
        content = &content[..content.len().min(whole)];
        match self.kind {
            HEADERS if self.has(PRIORITY) => content.get(5..).unwrap_or_default(),
            PUSH_PROMISE => content.get(4..).unwrap_or_default(),
            _ => content,
        }
    }
}
