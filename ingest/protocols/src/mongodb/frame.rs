//! Headers of messages, and the sections of `OP_MSG`.

use super::bson;
use crate::reader::Reader;

pub(super) const HEADER_BYTES: usize = 16;
/// The servers' limit is 48 MB; their headers come on top.
const MESSAGE_BYTES_MAX: i32 = 48_000_000 + (16 << 10);

pub(super) const REPLY: i32 = 1;
pub(super) const UPDATE: i32 = 2001;
pub(super) const INSERT: i32 = 2002;
pub(super) const QUERY: i32 = 2004;
pub(super) const GET_MORE: i32 = 2005;
pub(super) const DELETE: i32 = 2006;
pub(super) const KILL_CURSORS: i32 = 2007;
pub(super) const COMPRESSED: i32 = 2012;
pub(super) const MSG: i32 = 2013;

/// Flags of `OP_MSG`.
const CHECKSUM: u32 = 1;
pub(super) const MORE_TO_COME: u32 = 2;
/// The lower half has to be understood; the upper may be passed over.
const UNKNOWN: u32 = 0xfffc;

/// What every message begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) length: usize,
    pub(super) id: i32,
    pub(super) response_to: i32,
    pub(super) opcode: i32,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (length, id, response_to) = (reader.i32_le()?, reader.i32_le()?, reader.i32_le()?);
        let opcode = reader.i32_le()?;
        let known = matches!(opcode, REPLY | UPDATE | INSERT | QUERY..=KILL_CURSORS | COMPRESSED | MSG);
        // The shortest body has a cursor's number or an empty document.
        let sized = (HEADER_BYTES as i32 + 9..=MESSAGE_BYTES_MAX).contains(&length);
        (known && sized).then_some(Header { length: length as usize, id, response_to, opcode })
    }

    /// Whether a server may send it.
    pub(super) fn server_sends(self) -> bool {
        matches!(self.opcode, REPLY | COMPRESSED | MSG)
    }

    /// Whether a client may send it.
    pub(super) fn client_sends(self) -> bool {
        self.opcode != REPLY
    }
}

/// What an `OP_MSG` holds.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) flags: u32,
    /// The document that is the command or reply; empty where it was not captured.
    pub(super) body: &'a [u8],
    /// Names of lists and their documents, one behind the other.
    pub(super) sequences: Vec<(&'a [u8], &'a [u8])>,
}

const SEQUENCES_MAX: usize = 16;

/// Reads the body of an `OP_MSG` of which `whole` bytes were sent.
pub(super) fn message(bytes: &[u8], whole: usize) -> Option<Message<'_>> {
    let flags = Reader::new(bytes).u32_le().filter(|flags| flags & UNKNOWN == 0)?;
    let checksum = if flags & CHECKSUM != 0 { 4 } else { 0 };
    let mut reader = Reader::new(bytes.get(4..whole.saturating_sub(checksum).min(bytes.len()))?);
    let mut found = Message { flags, ..Message::default() };
    while let Some(kind) = reader.u8() {
        let Some(length) = Reader::new(reader.rest()).u32_le() else { break };
        let section = reader.take((length as usize).max(4).min(reader.rest().len()))?;
        match kind {
            0 => found.body = section,
            1 if found.sequences.len() < SEQUENCES_MAX => {
                let mut inner = Reader::new(&section[4..]);
                let Some(name) = bson::text(&mut inner) else { break };
                found.sequences.push((name, inner.rest()));
            }
            1 => {}
            _ => return None,
        }
    }
    Some(found)
}

/// Documents one behind the other.
pub(super) fn documents(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let length = bson::length(reader.rest())?;
        reader.take(length.min(reader.rest().len()))
    })
}
