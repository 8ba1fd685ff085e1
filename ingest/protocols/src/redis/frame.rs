//! RESP values: where they end, found incrementally, and what they hold. Long texts and long aggregates pass with their
//! beginning kept.

use crate::protocol::{Measure, Side};

/// Elements of an aggregate that begin behind so many bytes are not kept.
const KEPT_BYTES: usize = 16 << 10;
/// Elements that a value may claim.
const ELEMENTS_MAX: u64 = 1 << 32;
const LENGTH_MAX: i64 = 1 << 40;
const HEADER_BYTES_MAX: usize = 24;

/// How far the value in progress was scanned.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scan {
    /// Where in the buffer the next element starts; 0 before the value.
    at: usize,
    /// Elements that have to follow.
    left: u64,
    /// Bytes that were taken out of the buffer.
    elided: u64,
    /// Where elements begin that are not kept.
    limit: Option<usize>,
    /// Where in the buffer the end of a text is missing.
    hole: Option<usize>,
}

/// A line with a number behind its first byte: the number, -1 for null, and where the line ends.
fn header(bytes: &[u8], at: usize) -> Option<Option<(i64, usize)>> {
    let rest = &bytes[at + 1..];
    // Most numbers are short.
    match *rest {
        [one @ b'0'..=b'9', b'\r', b'\n', ..] => return Some(Some((i64::from(one - b'0'), at + 4))),
        [ten @ b'0'..=b'9', one @ b'0'..=b'9', b'\r', b'\n', ..] => {
            return Some(Some((i64::from(ten - b'0') * 10 + i64::from(one - b'0'), at + 5)));
        }
        _ => {}
    }
    let mut value = 0_i64;
    for (index, byte) in rest.iter().take(HEADER_BYTES_MAX).enumerate() {
        match byte {
            b'0'..=b'9' if value < LENGTH_MAX => value = value * 10 + i64::from(byte - b'0'),
            b'-' if index == 0 && rest.len() < 2 => return Some(None),
            b'-' if index == 0 && rest[1] == b'1' => return null(rest, at),
            b'\r' if index > 0 => match rest.get(index + 1) {
                Some(b'\n') => return Some(Some((value, at + index + 3))),
                Some(_) => return None,
                None => return Some(None),
            },
            _ => return None,
        }
    }
    (rest.len() < HEADER_BYTES_MAX).then_some(None)
}

fn null(rest: &[u8], at: usize) -> Option<Option<(i64, usize)>> {
    match rest.get(2..4) {
        Some(b"\r\n") => Some(Some((-1, at + 5))),
        Some(_) => None,
        None => Some(None),
    }
}

/// Where a line ends that starts at `at`.
fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    bytes[at..].iter().position(|byte| *byte == b'\n').map(|found| at + found + 1)
}

impl Scan {
    /// Measures the value at the beginning of `bytes`; texts longer than `keep` pass with so many bytes kept.
    pub(super) fn measure(&mut self, side: Side, bytes: &[u8], keep: usize) -> Measure {
        if self.at == 0 {
            self.left = 1;
            if side == Side::Client && bytes[0] != b'*' {
                return inline(bytes);
            }
        }
        while self.left > 0 {
            let start = self.at;
            if start >= bytes.len() {
                return self.wait();
            }
            if start > KEPT_BYTES && self.limit.is_none() {
                self.limit = Some(start);
            }
            let outermost = start == 0;
            let end = match bytes[start] {
                kind @ (b'$' | b'!' | b'=') if !outermost || side == Side::Server => {
                    if side == Side::Client && kind != b'$' {
                        return Measure::Invalid;
                    }
                    let Some(found) = header(bytes, start) else { return Measure::Invalid };
                    let Some((length, content)) = found else { return self.wait() };
                    if length >= 0 {
                        match self.text(bytes, content, length as usize, keep) {
                            Ok(end) => end,
                            Err(measure) => return measure,
                        }
                    } else {
                        content
                    }
                }
                kind @ (b'*' | b'~' | b'>' | b'%' | b'|') if outermost || side == Side::Server => {
                    if side == Side::Client && kind != b'*' {
                        return Measure::Invalid;
                    }
                    let Some(found) = header(bytes, start) else { return Measure::Invalid };
                    let Some((count, end)) = found else { return self.wait() };
                    let count = count.max(0) as u64;
                    self.left += match kind {
                        b'%' => 2 * count,
                        b'|' => 2 * count + 1,
                        _ => count,
                    };
                    if self.left > ELEMENTS_MAX {
                        return Measure::Invalid;
                    }
                    end
                }
                b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' if side == Side::Server => {
                    let Some(end) = line_end(bytes, start) else { return self.wait() };
                    if bytes[end - 2] != b'\r' {
                        return Measure::Invalid;
                    }
                    end
                }
                _ => return Measure::Invalid,
            };
            self.at = end;
            self.left -= 1;
        }
        let keep = self.limit.unwrap_or(self.at);
        Measure::Frame { length: self.elided + self.at as u64, keep }
    }

    /// The end of a text whose content starts at `content`; else what to do about it.
    fn text(&mut self, bytes: &[u8], content: usize, length: usize, keep: usize) -> Result<usize, Measure> {
        let end = content + length + 2;
        if self.left == 1 {
            // Nothing follows: what it has can pass in any way.
            let closed = bytes.get(end - 2..end).is_none_or(|close| close == b"\r\n");
            let kept = self.limit.unwrap_or(content + length.min(keep));
            let frame = Measure::Frame { length: self.elided + end as u64, keep: kept };
            return Err(if closed { frame } else { Measure::Invalid });
        }
        if let Some(limit) = self.limit
            && end > bytes.len()
        {
            return Err(self.elide(limit, (end - limit) as u64));
        }
        if length > keep && self.limit.is_none() {
            let at = content + keep;
            return Err(if bytes.len() < at { Measure::More } else { self.elide(at, (end - at) as u64) });
        }
        match bytes.get(end - 2..end) {
            Some(b"\r\n") => Ok(end),
            Some(_) => Err(Measure::Invalid),
            None => Err(self.wait()),
        }
    }

    /// Passes over an element; the next one starts where it was.
    fn elide(&mut self, at: usize, count: u64) -> Measure {
        (self.at, self.left) = (at, self.left - 1);
        self.elided += count;
        Measure::Elide { at, count }
    }

    /// More bytes are needed; those of elements that are not kept make room.
    fn wait(&mut self) -> Measure {
        match self.limit {
            Some(limit) if self.at > limit => {
                let count = (self.at - limit) as u64;
                self.at = limit;
                self.elided += count;
                Measure::Elide { at: limit, count }
            }
            _ => Measure::More,
        }
    }

    /// What follows `bytes` passed unseen: within a text the value goes on behind it.
    pub(super) fn at_hole(&mut self, bytes: &[u8]) -> Measure {
        let text = matches!(bytes.get(self.at), Some(b'$' | b'!' | b'='));
        if self.at == 0 || self.hole.is_some() || !text {
            return Measure::Invalid;
        }
        let Some(Some((length @ 0.., content))) = header(bytes, self.at) else { return Measure::Invalid };
        let end = content + length as usize + 2;
        if end <= bytes.len() || self.left < 2 {
            return Measure::Invalid;
        }
        self.hole = Some(bytes.len());
        self.elide(bytes.len(), (end - bytes.len()) as u64)
    }
}

fn inline(bytes: &[u8]) -> Measure {
    let end = line_end(bytes, 0);
    let line = &bytes[..end.unwrap_or(bytes.len())];
    if line.iter().any(|byte| matches!(byte, 0..9 | 14..32)) {
        return Measure::Invalid;
    }
    end.map_or(Measure::More, |end| Measure::Frame { length: end as u64, keep: end })
}

/// One element of a value, in the order of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// A text.
    Text(&'a [u8]),
    Error(&'a [u8]),
    /// A number or truth value as it is to be written.
    Literal(&'a [u8]),
    Null,
    /// So many elements follow that belong to it.
    List(u64),
    /// Elements that nobody asked for.
    Push(u64),
    /// So many pairs follow.
    Map(u64),
    /// So many pairs follow, and then the value that they are about.
    Attribute(u64),
}

/// Walks over a value that was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
    keep: usize,
    hole: Option<usize>,
}

impl<'a> Elements<'a> {
    pub(super) fn new(bytes: &'a [u8], scan: &Scan, keep: usize) -> Self {
        Elements { bytes, at: 0, keep, hole: scan.hole }
    }

    fn text(&mut self, content: usize, length: usize) -> &'a [u8] {
        let mut end = content + length.min(self.keep);
        self.at = if length > self.keep { end } else { end + 2 };
        if let Some(hole) = self.hole.filter(|hole| (content..content + length + 2).contains(hole)) {
            end = end.min(hole);
            self.at = hole;
        }
        &self.bytes[content..end.min(self.bytes.len())]
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let start = self.at;
        let kind = *self.bytes.get(start)?;
        if matches!(kind, b'$' | b'!' | b'=' | b'*' | b'~' | b'>' | b'%' | b'|') {
            let (count, end) = header(self.bytes, start)??;
            self.at = end;
            if count < 0 {
                return Some(Element::Null);
            }
            return Some(match kind {
                b'$' => Element::Text(self.text(end, count as usize)),
                b'!' => Element::Error(self.text(end, count as usize)),
                b'=' => {
                    let text = self.text(end, count as usize);
                    Element::Text(text.get(4..).unwrap_or_default())
                }
                b'>' => Element::Push(count as u64),
                b'%' => Element::Map(count as u64),
                b'|' => Element::Attribute(count as u64),
                _ => Element::List(count as u64),
            });
        }
        let end = line_end(self.bytes, start)?;
        self.at = end;
        let line = &self.bytes[start + 1..end - 1];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(match kind {
            b'+' => Element::Text(line),
            b'-' => Element::Error(line),
            b'_' => Element::Null,
            b'#' => Element::Literal(if line == b"t" { b"true" } else { b"false" }),
            b':' | b'(' | b',' => Element::Literal(line),
            _ => return None,
        })
    }
}
