//! Header compression (RFC 7541), decoding only. An entry that was added before anyone looked is unknown.

use std::collections::VecDeque;

use super::huffman;

const TABLE_BYTES_MAX: usize = 64 << 10;
const STRING_BYTES_MAX: usize = 16 << 10;

const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[derive(Debug, Clone)]
struct Entry {
    name: Option<Box<[u8]>>,
    value: Box<[u8]>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.name.as_ref().map_or(0, |name| name.len()) + self.value.len() + 32
    }
}

/// The decoder of one direction.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    bytes: usize,
    limit: usize,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Table {
    fn default() -> Self {
        Table { entries: VecDeque::new(), bytes: 0, limit: 4096, name: Vec::new(), value: Vec::new() }
    }
}

/// How a block was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Whole,
    /// Some of it refers to what is not known.
    Unknown,
    /// It is cut or damaged: what it adds to the table is not known.
    Broken,
}

impl Table {
    /// Blocks may have been missed: positions of all entries are unknown.
    pub(super) fn forget(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// Hands out the headers of a block.
    pub(super) fn decode(&mut self, mut block: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Block {
        let mut whole = Block::Whole;
        while let Some(first) = block.first() {
            let decoded = match first {
                0x80.. => {
                    let Some(index) = integer(&mut block, 7) else { return self.broken() };
                    match self.entry(index as usize) {
                        Some((Some(name), value)) => each(name, value),
                        Some((None, _)) | None => whole = Block::Unknown,
                    }
                    continue;
                }
                0x40..0x80 => self.literal(&mut block, 6),
                0x20..0x40 => {
                    let Some(limit) = integer(&mut block, 5) else { return self.broken() };
                    self.limit = (limit as usize).min(TABLE_BYTES_MAX);
                    self.evict();
                    continue;
                }
                0x00..0x20 => self.literal(&mut block, 4),
            };
            match decoded {
                Some(true) => each(&self.name, &self.value),
                Some(false) => whole = Block::Unknown,
                None => return self.broken(),
            }
        }
        whole
    }

    fn broken(&mut self) -> Block {
        self.forget();
        Block::Broken
    }

    /// An entry of the tables; the name of one may not be known.
    fn entry(&self, index: usize) -> Option<(Option<&[u8]>, &[u8])> {
        let at = index.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(at) {
            return Some((Some(name.as_bytes()), value.as_bytes()));
        }
        let entry = self.entries.get(at - STATIC.len())?;
        Some((entry.name.as_deref(), &entry.value))
    }

    /// Takes the name of an entry; whether it is known.
    fn name_of(&mut self, index: usize) -> bool {
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        let known = self.entry(index).and_then(|(name, _)| name);
        known.into_iter().for_each(|known| name.extend_from_slice(known));
        let is_known = known.is_some();
        self.name = name;
        is_known
    }

    fn literal(&mut self, block: &mut &[u8], bits: u32) -> Option<bool> {
        let index = integer(block, bits)? as usize;
        let known = if index == 0 {
            self.name.clear();
            string(block, &mut self.name)?;
            true
        } else {
            self.name_of(index)
        };
        self.value.clear();
        string(block, &mut self.value)?;
        if bits == 6 {
            let name = known.then(|| self.name.as_slice().into());
            let entry = Entry { name, value: self.value.as_slice().into() };
            self.bytes += entry.bytes();
            self.entries.push_front(entry);
            self.evict();
        }
        Some(known)
    }

    fn evict(&mut self) {
        while self.bytes > self.limit
            && let Some(entry) = self.entries.pop_back()
        {
            self.bytes -= entry.bytes();
        }
    }
}

fn integer(block: &mut &[u8], bits: u32) -> Option<u32> {
    let (first, mut rest) = block.split_first()?;
    let mask = (1_u32 << bits) - 1;
    let mut value = u32::from(*first) & mask;
    if value == mask {
        for shift in [0, 7, 14, 21] {
            let (byte, after) = rest.split_first()?;
            rest = after;
            value = value.checked_add(u32::from(byte & 0x7f) << shift)?;
            if byte & 0x80 == 0 {
                *block = rest;
                return Some(value);
            }
        }
        return None;
    }
    *block = rest;
    Some(value)
}

fn string(block: &mut &[u8], out: &mut Vec<u8>) -> Option<()> {
    let coded = block.first()? & 0x80 != 0;
    let length = integer(block, 7)? as usize;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    if length > STRING_BYTES_MAX {
        return Some(());
    }
    if coded {
        return huffman::decode(text, out).then_some(());
    }
    out.extend_from_slice(text);
    Some(())
}
