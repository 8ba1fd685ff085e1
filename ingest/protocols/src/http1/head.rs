//! The beginning of a message: start line and header block, whole or cut off.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::content::Encoding;
use crate::http1::exchange::ContentType;
use crate::http1::infer::{Kind, is_token};

/// What a head says about the length of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Length {
    /// No `Content-Length`.
    #[default]
    Absent,
    /// That many bytes.
    Known(u64),
    /// Not a number, or two that differ.
    Invalid,
}

/// The header fields that framing and tables need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fields {
    pub(super) length: Length,
    pub(super) chunked: bool,
    pub(super) expects: bool,
    pub(super) encoding: Encoding,
    pub(super) content_type: ContentType,
}

/// A head, as ranges of the bytes that it was parsed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// With the empty line at its end.
    pub(super) bytes: usize,
    pub(super) minor_version: u8,
    /// 0 for a request.
    pub(super) status: u16,
    /// Method or reason phrase.
    pub(super) word: Range<usize>,
    /// Empty for a response.
    pub(super) target: Range<usize>,
    /// The lines between the start line and the empty line.
    pub(super) headers: Range<usize>,
    pub(super) fields: Fields,
}

/// What a buffer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    Complete(Head),
    Partial,
    Invalid,
}

/// Heads with more header lines than this are read line by line.
const HEADERS: usize = 64;

/// Parses a buffer that begins with a message of that kind.
pub(super) fn parse(bytes: &[u8], kind: Kind) -> Parsed {
    let mut headers = [MaybeUninit::<httparse::Header<'_>>::uninit(); HEADERS];
    match kind {
        Kind::Request => {
            let mut request = httparse::Request::new(&mut []);
            let mut config = httparse::ParserConfig::default();
            config.ignore_invalid_headers_in_requests(true);
            match config.parse_request_with_uninit_headers(&mut request, bytes, &mut headers) {
                Ok(httparse::Status::Complete(length)) => {
                    let (Some(method), Some(path)) = (request.method, request.path) else { return Parsed::Invalid };
                    let target = range_in(bytes, path.as_bytes());
                    Parsed::Complete(Head {
                        kind,
                        bytes: length,
                        minor_version: request.version.unwrap_or(1),
                        status: 0,
                        word: range_in(bytes, method.as_bytes()),
                        headers: header_block(bytes, target.end, length),
                        target,
                        fields: fields_of(request.headers),
                    })
                }
                other => incomplete(bytes, kind, other),
            }
        }
        Kind::Response => {
            let mut response = httparse::Response::new(&mut []);
            let mut config = httparse::ParserConfig::default();
            config
                .allow_obsolete_multiline_headers_in_responses(true)
                .allow_spaces_after_header_name_in_responses(true)
                .ignore_invalid_headers_in_responses(true);
            match config.parse_response_with_uninit_headers(&mut response, bytes, &mut headers) {
                Ok(httparse::Status::Complete(length)) => {
                    let reason = response.reason.unwrap_or_default();
                    // An obsolete or empty reason phrase is not a slice of the buffer.
                    let word = if reason.is_empty() { 0..0 } else { range_in(bytes, reason.as_bytes()) };
                    Parsed::Complete(Head {
                        kind,
                        bytes: length,
                        minor_version: response.version.unwrap_or(1),
                        status: response.code.unwrap_or_default(),
                        headers: header_block(bytes, word.end, length),
                        word,
                        target: 0..0,
                        fields: fields_of(response.headers),
                    })
                }
                other => incomplete(bytes, kind, other),
            }
        }
    }
}

fn incomplete(bytes: &[u8], kind: Kind, outcome: httparse::Result<usize>) -> Parsed {
    match outcome {
        Ok(_) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => match end_of_head(bytes) {
            Some(end) => parse_cut(&bytes[..end], kind).map_or(Parsed::Invalid, Parsed::Complete),
            None => Parsed::Partial,
        },
        Err(_) => Parsed::Invalid,
    }
}

/// Reads what there is of a head whose end is not to be had; `None` when the start line does not tell enough.
pub(super) fn parse_cut(bytes: &[u8], kind: Kind) -> Option<Head> {
    let newline = bytes.iter().position(|byte| *byte == b'\n');
    let line = trim_line_end(&bytes[..newline.unwrap_or(bytes.len())]);
    let mut head = match kind {
        Kind::Request => cut_request_line(line, newline.is_some())?,
        Kind::Response => cut_status_line(line)?,
    };
    head.bytes = bytes.len();
    let Some(newline) = newline else { return Some(head) };
    let block = &bytes[newline + 1..];
    let mut end = 0;
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        let trimmed = trim_line_end(line);
        // The last line may be cut in the middle of a value.
        if !line.ends_with(b"\n") || trimmed.is_empty() {
            break;
        }
        end += line.len();
        if let Some(colon) = trimmed.iter().position(|byte| *byte == b':') {
            note_field(&mut head.fields, trimmed[..colon].trim_ascii(), &trimmed[colon + 1..]);
        }
    }
    head.headers = newline + 1..newline + 1 + end;
    Some(head)
}

fn cut_request_line(line: &[u8], whole: bool) -> Option<Head> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    if space == 0 || !line[..space].iter().copied().all(is_token) {
        return None;
    }
    let rest = &line[space + 1..];
    let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    let version = &rest[(end + 1).min(rest.len())..];
    let known = version.starts_with(b"HTTP/1.") || !whole && b"HTTP/1.".starts_with(version);
    let target = space + 1..space + 1 + end;
    (known && !target.is_empty()).then(|| Head {
        kind: Kind::Request,
        bytes: 0,
        minor_version: u8::from(!version.ends_with(b".0")),
        status: 0,
        word: 0..space,
        target,
        headers: 0..0,
        fields: Fields::default(),
    })
}

fn cut_status_line(line: &[u8]) -> Option<Head> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (version, rest) = rest.split_first()?;
    let digits = rest.strip_prefix(b" ")?.get(..3)?;
    let status = std::str::from_utf8(digits).ok()?.parse::<u16>().ok().filter(|status| *status >= 100)?;
    let start = line.len().min(b"HTTP/1.1 200 ".len());
    Some(Head {
        kind: Kind::Response,
        bytes: 0,
        minor_version: version.wrapping_sub(b'0').min(1),
        status,
        word: start..line.len(),
        target: 0..0,
        headers: 0..0,
        fields: Fields::default(),
    })
}

/// The end of the first empty line, where a head ends.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let mut line_is_empty = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if line_is_empty => return Some(at + 1),
            b'\n' => line_is_empty = true,
            b'\r' => {}
            _ => line_is_empty = false,
        }
    }
    None
}

fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where `part`, a slice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    if start > whole.len() || part.len() > whole.len() - start { 0..0 } else { start..start + part.len() }
}

fn header_block(bytes: &[u8], from: usize, end: usize) -> Range<usize> {
    let from = from.min(end);
    let start = bytes[from..end].iter().position(|byte| *byte == b'\n').map_or(end, |at| from + at + 1);
    let blank = if bytes[..end].ends_with(b"\r\n") { 2 } else { 1 };
    start..(end - blank.min(end)).max(start)
}

fn fields_of(headers: &[httparse::Header<'_>]) -> Fields {
    let mut fields = Fields::default();
    for header in headers {
        note_field(&mut fields, header.name.as_bytes(), header.value);
    }
    fields
}

fn note_field(fields: &mut Fields, name: &[u8], value: &[u8]) {
    // The length rejects nearly every name that is not looked for.
    match name.len() {
        6 if name.eq_ignore_ascii_case(b"expect") => fields.expects = true,
        12 if name.eq_ignore_ascii_case(b"content-type") => fields.content_type = ContentType::of_header(value),
        14 if name.eq_ignore_ascii_case(b"content-length") => {
            fields.length = match (fields.length, number(value)) {
                (Length::Absent, Some(number)) => Length::Known(number),
                (Length::Known(before), Some(number)) if before == number => Length::Known(number),
                _ => Length::Invalid,
            };
        }
        16 if name.eq_ignore_ascii_case(b"content-encoding") => fields.encoding = Encoding::of_header(value),
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
            let value = value.trim_ascii();
            let tail = &value[value.len().saturating_sub(b"chunked".len())..];
            fields.chunked = tail.eq_ignore_ascii_case(b"chunked");
        }
        _ => {}
    }
}

/// A decimal number, or a list of the same one.
fn number(value: &[u8]) -> Option<u64> {
    let mut found = None;
    for part in value.split(|byte| *byte == b',') {
        let part = part.trim_ascii();
        if part.is_empty() || part.len() > 18 {
            return None;
        }
        let mut number = 0_u64;
        for byte in part {
            number = number * 10 + u64::from(char::from(*byte).to_digit(10)?);
        }
        if found.is_some_and(|before| before != number) {
            return None;
        }
        found = Some(number);
    }
    found
}
