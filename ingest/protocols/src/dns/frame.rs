//! Messages as RFC 1035 has them: header, questions, records, names with compression.

use crate::reader::Reader;

pub(super) const HEADER_BYTES: usize = 12;
/// Labels and pointers that a name may have.
const NAME_STEPS_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 255;

/// The header of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    pub(super) flags: u16,
    /// Questions, answers, authorities, additionals.
    pub(super) counts: [u16; 4],
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Header> {
        let mut reader = Reader::new(bytes);
        let (id, flags) = (reader.u16()?, reader.u16()?);
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        Some(Header { id, flags, counts })
    }

    pub(super) fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) fn bit(&self, bit: u32) -> i64 {
        i64::from(self.flags >> bit & 1)
    }

    pub(super) fn opcode(&self) -> u16 {
        self.flags >> 11 & 15
    }

    pub(super) fn rcode(&self) -> u16 {
        self.flags & 15
    }
}

/// A question, or the beginning of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// Where its name is in the message.
    pub(super) name: usize,
    pub(super) kind: u16,
    pub(super) class: u16,
}

/// A resource record; its data is `data` of the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) question: Question,
    pub(super) ttl: u32,
    pub(super) at: usize,
    pub(super) data: &'a [u8],
}

/// Walks over a message; `None` is the end of what was captured, or nonsense.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) message: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Walk { message, at: HEADER_BYTES }
    }

    fn reader(&self) -> Reader<'a> {
        Reader::new(self.message.get(self.at..).unwrap_or_default())
    }

    pub(super) fn question(&mut self) -> Option<Question> {
        let name = self.at;
        self.at = end_of_name(self.message, name)?;
        let mut reader = self.reader();
        let (kind, class) = (reader.u16()?, reader.u16()?);
        self.at += 4;
        Some(Question { name, kind, class })
    }

    pub(super) fn record(&mut self) -> Option<Record<'a>> {
        let question = self.question()?;
        let mut reader = self.reader();
        let (ttl, length) = (reader.u32()?, usize::from(reader.u16()?));
        let data = reader.take(length)?;
        let at = self.at + 6;
        self.at = at + length;
        Some(Record { question, ttl, at, data })
    }
}

/// Offset behind a name; `None` when it does not end in the buffer or is none.
pub(super) fn end_of_name(message: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..64 => at += 1 + usize::from(length),
            192.. => {
                let target = pointer(message, at)?;
                return (target < at).then_some(at + 2);
            }
            64..192 => return None,
        }
        if at - start > NAME_BYTES_MAX {
            return None;
        }
    }
}

fn pointer(message: &[u8], at: usize) -> Option<usize> {
    let [high, low] = *message.get(at..)?.first_chunk::<2>()?;
    Some(usize::from(high & 63) << 8 | usize::from(low))
}

/// Appends a name with dots between labels, without one at its end; the root is a dot. Characters that would be read
/// otherwise are escaped as in zone files. Returns whether all of it was there.
pub(super) fn name(message: &[u8], mut at: usize, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    for _ in 0..NAME_STEPS_MAX {
        match message.get(at) {
            Some(0) => {
                if out.len() == start {
                    out.push(b'.');
                }
                return true;
            }
            Some(&length @ 1..64) => {
                let Some(label) = message.get(at + 1..at + 1 + usize::from(length)) else { return false };
                if out.len() > start {
                    out.push(b'.');
                }
                escape(label, out);
                at += 1 + label.len();
            }
            Some(192..) => match pointer(message, at) {
                Some(target) if target < at => at = target,
                _ => return false,
            },
            _ => return false,
        }
        if out.len() - start > 4 * NAME_BYTES_MAX {
            return false;
        }
    }
    false
}

fn escape(label: &[u8], out: &mut Vec<u8>) {
    for &byte in label {
        match byte {
            b'.' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x21..0x7f => out.push(byte),
            _ => out.extend_from_slice(&[b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]),
        }
    }
}
