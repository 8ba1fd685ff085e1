//! What of an ELF file tells where to probe it: sections, loaded segments, symbols. 64-bit little-endian files only;
//! read in pieces, since executables may be larger than the agent.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memchr::memmem;

const PIECE: usize = 256 << 10;
/// Of more sections and segments, and of a longer section, the rest is not looked at.
const HEADERS_MAX: u16 = 4096;
const SECTION_MAX: u64 = 1 << 30;
const SYMBOL_BYTES: usize = 24;

const TYPE_SYMBOLS: u32 = 2;
const TYPE_RELOCATIONS: u32 = 4;
const TYPE_NO_BITS: u32 = 8;
const TYPE_DYNAMIC_SYMBOLS: u32 = 11;

/// Processor that a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    X86,
    Arm,
}

impl Machine {
    /// The one that this runs on, if it is known.
    pub(super) const fn native() -> Option<Machine> {
        if cfg!(target_arch = "x86_64") {
            Some(Machine::X86)
        } else if cfg!(target_arch = "aarch64") {
            Some(Machine::Arm)
        } else {
            None
        }
    }
}

/// A section: where it is in memory and in the file.
#[derive(Clone, Debug)]
pub(super) struct Section {
    pub(super) name: String,
    kind: u32,
    link: u32,
    pub(super) address: u64,
    offset: u64,
    pub(super) size: u64,
}

impl Section {
    pub(super) fn is_relocations(&self) -> bool {
        self.kind == TYPE_RELOCATIONS
    }
}

struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

/// An open file.
pub(super) struct Elf {
    file: File,
    pub(super) machine: Machine,
    pub(super) sections: Vec<Section>,
    segments: Vec<Segment>,
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A 32-bit number at a place.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A 64-bit number at a place.
pub(super) fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Elf {
    /// `None` for what is no ELF file of a known kind.
    pub(super) fn open(path: &Path) -> Option<Elf> {
        let mut elf = Elf { file: File::open(path).ok()?, machine: Machine::X86, sections: vec![], segments: vec![] };
        let header = elf.bytes(0, 64)?;
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        elf.machine = match half(&header, 18)? {
            62 => Machine::X86,
            183 => Machine::Arm,
            _ => return None,
        };
        let count = half(&header, 56)?.min(HEADERS_MAX);
        let table = elf.bytes(long(&header, 32)?, usize::from(count) * 56)?;
        elf.segments = table.chunks_exact(56).filter_map(segment).collect();
        elf.read_sections(&header);
        Some(elf)
    }

    /// A file may have no sections, or its names may be lost.
    fn read_sections(&mut self, header: &[u8]) -> Option<()> {
        let count = half(header, 60)?.min(HEADERS_MAX);
        let table = self.bytes(long(header, 40)?, usize::from(count) * 64)?;
        let sections: Vec<_> = table.chunks_exact(64).filter_map(section).collect();
        let (_, names) = sections.get(usize::from(half(header, 62)?))?;
        let names = self.bytes(names.offset, names.size.min(PIECE as u64) as usize)?;
        let name = |at: u32| {
            let text = names.get(at as usize..)?.split(|byte| *byte == 0).next()?;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        self.sections = sections
            .into_iter()
            .map(|(at, section)| Section { name: name(at).unwrap_or_default(), ..section })
            .collect();
        Some(())
    }

    /// Bytes of the file; `None` if it ends before.
    fn bytes(&self, offset: u64, size: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    }

    /// The first section with one of these names.
    pub(super) fn section(&self, names: &[&str]) -> Option<&Section> {
        self.sections.iter().find(|section| names.contains(&&section.name[..]) && section.kind != TYPE_NO_BITS)
    }

    /// Bytes of a section from a place in it on; `None` if it ends before.
    pub(super) fn part(&self, section: &Section, at: u64, size: usize) -> Option<Vec<u8>> {
        let inside = section.kind != TYPE_NO_BITS && at.checked_add(size as u64)? <= section.size;
        if inside { self.bytes(section.offset.checked_add(at)?, size) } else { None }
    }

    /// Hands out a section piece by piece, each with the first `overlap` bytes of the next; stops when told `Some`.
    pub(super) fn pieces<T>(
        &self,
        section: &Section,
        overlap: usize,
        each: &mut dyn FnMut(u64, &[u8]) -> Option<T>,
    ) -> Option<T> {
        (0..section.size.min(SECTION_MAX)).step_by(PIECE).find_map(|at| {
            let size = (section.size - at).min((PIECE + overlap) as u64);
            each(at, &self.part(section, at, size as usize)?)
        })
    }

    /// Where something that is in memory at `address` lies in the file.
    pub(super) fn offset_of(&self, address: u64) -> Option<u64> {
        let within = |segment: &&Segment| (segment.address..segment.address + segment.size).contains(&address);
        let segment = self.segments.iter().find(within)?;
        (address - segment.address).checked_add(segment.offset)
    }

    /// Bytes that are in memory at `address`.
    pub(super) fn memory(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        self.bytes(self.offset_of(address)?, size)
    }

    /// Addresses of the functions and data with these names, in the order of the names.
    pub(super) fn symbols(&self, names: &[&str]) -> Vec<Option<u64>> {
        let mut found = vec![None; names.len()];
        for table in &self.sections {
            if matches!(table.kind, TYPE_SYMBOLS | TYPE_DYNAMIC_SYMBOLS) {
                self.symbols_of(table, names, &mut found);
            }
        }
        found
    }

    fn symbols_of(&self, table: &Section, names: &[&str], found: &mut [Option<u64>]) -> Option<()> {
        let strings = self.sections.get(table.link as usize)?;
        // A name may be the end of another one, so every place where it is followed by a zero counts.
        let mut places: Vec<(u32, usize)> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let text = [name.as_bytes(), b"\0"].concat();
            let finder = memmem::Finder::new(&text);
            self.pieces(strings, text.len() - 1, &mut |at, piece| {
                places.extend(finder.find_iter(piece).map(|place| ((at + place as u64) as u32, index)));
                None::<()>
            });
        }
        places.sort_unstable();
        places.dedup();
        if places.is_empty() {
            return None;
        }
        self.pieces(table, SYMBOL_BYTES, &mut |at, piece| {
            let skip = (at.next_multiple_of(SYMBOL_BYTES as u64) - at) as usize;
            for symbol in piece.get(skip..)?.chunks_exact(SYMBOL_BYTES) {
                let place = places.binary_search_by_key(&word(symbol, 0)?, |(place, _)| *place);
                let (defined, address) = (half(symbol, 6)? != 0, long(symbol, 8)?);
                if let (Ok(place), true) = (place, defined && address != 0) {
                    found[places[place].1].get_or_insert(address);
                }
            }
            None
        })
    }
}

fn segment(header: &[u8]) -> Option<Segment> {
    let loaded = word(header, 0)? == 1;
    let segment = Segment { offset: long(header, 8)?, address: long(header, 16)?, size: long(header, 32)? };
    (loaded && segment.address.checked_add(segment.size).is_some()).then_some(segment)
}

/// With the place of its name.
fn section(header: &[u8]) -> Option<(u32, Section)> {
    let section = Section {
        name: String::new(),
        kind: word(header, 4)?,
        link: word(header, 40)?,
        address: long(header, 16)?,
        offset: long(header, 24)?,
        size: long(header, 32)?,
    };
    Some((word(header, 0)?, section))
}
