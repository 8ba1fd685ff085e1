//! Recordings: a header, then blocks of events, each with its length and checksum. A recording that is cut anywhere
//! reads up to its last whole block.

use std::io::{self, Read, Write};

use crate::event::Event;

const MAGIC: [u8; 8] = *b"WSHEDREC";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 12;
const BLOCK_HEADER_BYTES: usize = 8;
/// A block is written when it has grown to this.
const BLOCK_BYTES: usize = 256 << 10;
/// No block is larger; a length above it is corruption.
const BLOCK_BYTES_MAX: usize = 16 << 20;

/// Why a recording cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a recording, or one of another version.
    #[error("not a recording of this version (the file must begin with {} and version {VERSION})", MAGIC.escape_ascii())]
    Header,
    /// A block that is not what was written; all before it was read.
    #[error("the recording is damaged at byte {offset}: {reason}; what comes before was read")]
    Damaged {
        /// Where the block begins.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file could not be read or written.
    #[error("recording: {0}")]
    Io(#[from] io::Error),
}

/// Writes events.
#[derive(Debug)]
pub struct Writer<W: Write> {
    output: W,
    block: Vec<u8>,
    bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a recording.
    pub fn new(mut output: W) -> io::Result<Self> {
        output.write_all(&MAGIC)?;
        output.write_all(&VERSION.to_le_bytes())?;
        Ok(Writer { output, block: Vec::with_capacity(BLOCK_BYTES * 2), bytes: HEADER_BYTES as u64 })
    }

    /// Adds an event; a tick ends its block.
    pub fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        bincode::serde::encode_into_std_write(event, &mut self.block, bincode::config::standard())
            .map_err(io::Error::other)?;
        if self.block.len() >= BLOCK_BYTES || matches!(event, Event::Tick { .. }) {
            self.flush()?;
        }
        Ok(())
    }

    /// Ends the block.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        self.output.write_all(&length.to_le_bytes())?;
        self.output.write_all(&crc32fast::hash(&self.block).to_le_bytes())?;
        self.output.write_all(&self.block)?;
        self.output.flush()?;
        self.bytes += (BLOCK_HEADER_BYTES + self.block.len()) as u64;
        self.block.clear();
        Ok(())
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// What reading a block found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// A whole block was handed out.
    Whole,
    /// The recording ends here.
    End,
    /// The recording was cut off in the middle of a block.
    CutOff,
}

/// Reads events block by block.
#[derive(Debug)]
pub struct Reader<R: Read> {
    input: R,
    block: Vec<u8>,
    offset: u64,
}

impl<R: Read> Reader<R> {
    /// Checks the header.
    pub fn new(mut input: R) -> Result<Self, Error> {
        let mut header = [0; HEADER_BYTES];
        if fill(&mut input, &mut header)? < HEADER_BYTES || header[..8] != MAGIC || header[8..] != VERSION.to_le_bytes()
        {
            return Err(Error::Header);
        }
        Ok(Reader { input, block: Vec::new(), offset: HEADER_BYTES as u64 })
    }

    /// Hands out the events of the next block. A block is checked as a whole before its first event.
    pub fn read_block(&mut self, each: &mut dyn FnMut(&Event<'_>)) -> Result<Block, Error> {
        let damaged = |offset, reason| Error::Damaged { offset, reason };
        let mut header = [0; BLOCK_HEADER_BYTES];
        match fill(&mut self.input, &mut header)? {
            0 => return Ok(Block::End),
            BLOCK_HEADER_BYTES => {}
            _ => return Ok(Block::CutOff),
        }
        let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if length == 0 || length > BLOCK_BYTES_MAX {
            return Err(damaged(self.offset, "a block of impossible length"));
        }
        self.block.clear();
        // Memory grows with what is there, not with what the header claims.
        (&mut self.input).take(length as u64).read_to_end(&mut self.block)?;
        if self.block.len() < length {
            return Ok(Block::CutOff);
        }
        if crc32fast::hash(&self.block) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(damaged(self.offset, "the checksum of a block does not match"));
        }
        let mut rest = &self.block[..];
        while !rest.is_empty() {
            let (event, taken) =
                bincode::serde::borrow_decode_from_slice::<Event<'_>, _>(rest, bincode::config::standard())
                    .map_err(|_| damaged(self.offset, "a block that is not made of events"))?;
            each(&event);
            rest = &rest[taken..];
        }
        self.offset += (BLOCK_HEADER_BYTES + length) as u64;
        Ok(Block::Whole)
    }
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
