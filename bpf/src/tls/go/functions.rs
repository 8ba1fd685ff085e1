//! Go's function table (`.gopclntab`), as the linker of Go 1.16 and later writes it: functions by name, and how far
//! their stack pointer is from its place at their entry, by instruction. Stripped executables keep it: they need it.

use std::ops::Range;

use memchr::memmem;

use crate::tls::elf::{Elf, Section, long, word};

/// Where linkers put it; an external one merges it with other data.
const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];
const MERGED_SECTIONS: [&str; 2] = [".data.rel.ro", ".rodata"];
const ALIGNMENT: usize = 8;
const WINDOW: usize = 256 << 10;
const FUNCTION_BYTES_MAX: u64 = 64 << 10;
const STEPS_MAX: usize = 4096;
/// So many words of a module's record are looked at.
const MODULE_FIELDS: usize = 64;

/// How its entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// 1.16 and 1.17: addresses.
    Addresses,
    /// 1.18 and later: offsets in the text.
    Offsets,
}

/// A table that was found.
pub(super) struct Functions<'a> {
    elf: &'a Elf,
    section: &'a Section,
    /// Where in the section it begins.
    start: u64,
    layout: Layout,
    count: u64,
    /// Of the table's start: names, stack depths, functions.
    names: u64,
    depths: u64,
    functions: u64,
    quantum: u64,
    /// Where the text begins, by the table itself; 0 if it does not say.
    text: u64,
}

/// A function: its place in the text, which is an address in old tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) entry: u64,
    pub(super) size: u64,
    /// How deep the stack is, by offset from the entry; in order, without gaps, up to the padding.
    pub(super) depths: Vec<(Range<u64>, i32)>,
}

impl<'a> Functions<'a> {
    /// `None` if there is no table, or an older one.
    pub(super) fn find(elf: &'a Elf) -> Option<Functions<'a>> {
        if let Some(section) = elf.section(&SECTIONS) {
            return Functions::at(elf, section, 0);
        }
        let merged = elf.sections.iter().filter(|section| MERGED_SECTIONS.contains(&&section.name[..]));
        merged.into_iter().find_map(|section| {
            elf.pieces(section, 64, &mut |at, piece| {
                let places = memmem::find_iter(piece, b"\xff\xff\xff\x00\x00").filter_map(|place| place.checked_sub(1));
                let mut aligned =
                    places.filter(|place| section.address.wrapping_add(at + *place as u64) % ALIGNMENT as u64 == 0);
                aligned.find_map(|place| Functions::at(elf, section, at + place as u64))
            })
        })
    }

    fn at(elf: &'a Elf, section: &'a Section, start: u64) -> Option<Functions<'a>> {
        let header = elf.part(section, start, 72)?;
        let layout = match word(&header, 0)? {
            0xffff_fffa => Layout::Addresses,
            0xffff_fff0 | 0xffff_fff1 => Layout::Offsets,
            _ => return None,
        };
        let &[0, 0, quantum @ (1 | 4), 8] = header.get(4..8)? else { return None };
        let field = |index: usize| long(&header, 8 + 8 * index);
        // The later header has the start of the text behind the numbers of functions and files.
        let [text, names] = if layout == Layout::Offsets { [field(2)?, field(3)?] } else { [0, field(2)?] };
        let rest = if layout == Layout::Offsets { 4 } else { 3 };
        let [depths, functions] = [field(rest + 2)?, field(rest + 3)?];
        let count = field(0)?;
        let quantum = quantum.into();
        let known = Functions { elf, section, start, layout, count, names, depths, functions, quantum, text };
        let ends = [names, depths, functions, count.checked_mul(16)?.checked_add(functions)?];
        ends.iter().all(|end| *end < section.size - start).then_some(known)
    }

    /// Addresses at which the text may begin: by this table, by its section, by its symbol.
    pub(super) fn texts(&self) -> Vec<u64> {
        if self.layout == Layout::Addresses {
            return vec![0];
        }
        let section = self.elf.section(&[".text"]).map_or(0, |section| section.address);
        let symbol = self.elf.symbols(&["runtime.text"])[0].unwrap_or(0);
        let mut texts: Vec<_> = [self.text, symbol, section].into_iter().filter(|text| *text != 0).collect();
        texts.extend(self.texts_of_module());
        texts
    }

    /// The runtime's record of the module begins with the address of this table, and has that of the text in it.
    fn texts_of_module(&self) -> Vec<u64> {
        let Some(text) = self.elf.section(&[".text"]) else { return Vec::new() };
        let within = text.address..text.address.saturating_add(text.size);
        let own = self.section.address.wrapping_add(self.start).to_le_bytes();
        let mut texts = Vec::new();
        for section in &self.elf.sections {
            // Where it is told by relocations they are in order, one a field: offset, type, value.
            let step = match &section.name[..] {
                ".go.module" | ".noptrdata" | ".data" => 8,
                _ if section.is_relocations() => 24,
                _ => continue,
            };
            self.elf.pieces(section, MODULE_FIELDS * step, &mut |_, piece| {
                for place in memmem::find_iter(piece, &own) {
                    let fields = (1..MODULE_FIELDS).map_while(|field| long(piece, place + field * step));
                    texts.extend(fields.filter(|value| within.contains(value)));
                }
                None::<()>
            });
        }
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// The functions with these names, in their order.
    pub(super) fn by_name(&self, names: &[&str]) -> Vec<Option<Function>> {
        let places: Vec<_> = names.iter().map(|name| self.place_of(name)).collect();
        let mut found = vec![None; names.len()];
        if places.iter().any(Option::is_some) {
            self.each_function(&mut |index, place, name| {
                if let Some(wanted) = places.iter().position(|place| *place == Some(name)) {
                    found[wanted] = self.function(index, place);
                }
            });
        }
        found
    }

    fn part(&self, at: u64, size: usize) -> Option<Vec<u8>> {
        self.elf.part(self.section, self.start.checked_add(at)?, size)
    }

    /// Where a name lies among the names.
    fn place_of(&self, name: &str) -> Option<u32> {
        let text = [b"\0", name.as_bytes(), b"\0"].concat();
        let first = self.start + self.names;
        self.elf.pieces(self.section, text.len() - 1, &mut |at, piece| {
            let places = memmem::find_iter(piece, &text).map(|place| at + place as u64 + 1);
            places.filter_map(|place| u32::try_from(place.checked_sub(first)?).ok()).next()
        })
    }

    /// Bytes of an entry of the table: place of the code, place of the function.
    fn entry_bytes(&self) -> u64 {
        if self.layout == Layout::Offsets { 8 } else { 16 }
    }

    fn entry(&self, bytes: &[u8], index: usize) -> Option<(u64, u64)> {
        match self.layout {
            Layout::Offsets => Some((word(bytes, index * 8)?.into(), word(bytes, index * 8 + 4)?.into())),
            Layout::Addresses => Some((long(bytes, index * 16)?, long(bytes, index * 16 + 8)?)),
        }
    }

    /// Where the name is in a function's record.
    fn name_at(&self) -> u64 {
        if self.layout == Layout::Offsets { 4 } else { 8 }
    }

    /// Hands out index, place of the record and place of the name of every function.
    fn each_function(&self, each: &mut dyn FnMut(u64, u64, u32)) -> Option<()> {
        let step = self.entry_bytes();
        let chunk = WINDOW as u64 / step;
        // Records are in the order of the table, so a window moves over them.
        let (mut window, mut window_at) = (Vec::new(), 0);
        for first in (0..self.count).step_by(chunk as usize) {
            let count = chunk.min(self.count - first);
            let entries = self.part(self.functions + first * step, (count * step) as usize)?;
            for index in 0..count {
                let (_, place) = self.entry(&entries, index as usize)?;
                let at = self.functions.checked_add(place)?.checked_add(self.name_at())?;
                let inside = at.checked_sub(window_at).and_then(|inside| word(&window, inside as usize));
                let name = match inside {
                    Some(name) => name,
                    None => {
                        let left = (self.section.size - self.start).checked_sub(at)?;
                        window = self.part(at, left.min(WINDOW as u64) as usize)?;
                        window_at = at;
                        word(&window, 0)?
                    }
                };
                each(first + index, place, name);
            }
        }
        Some(())
    }

    fn function(&self, index: u64, place: u64) -> Option<Function> {
        let step = self.entry_bytes();
        let entries = self.part(self.functions + index * step, 2 * step as usize)?;
        let (entry, end) = (self.entry(&entries, 0)?.0, self.entry(&entries, 1)?.0);
        let size = end.checked_sub(entry).filter(|size| *size <= FUNCTION_BYTES_MAX)?;
        // Behind the name: bytes of the arguments, the place of deferred returns, the depths.
        let record = self.part(self.functions.checked_add(place)?.checked_add(self.name_at())?, 16)?;
        let at = self.depths + u64::from(word(&record, 12)?);
        let left = (self.section.size - self.start).checked_sub(at)?;
        let bytes = self.part(at, left.min(WINDOW as u64) as usize)?;
        Some(Function { entry, size, depths: depths(&bytes, self.quantum, size)? })
    }
}

/// Steps of a table of values by instruction: zigzag difference of the value, then how far it holds; a difference of 0
/// ends it.
fn depths(bytes: &[u8], quantum: u64, size: u64) -> Option<Vec<(Range<u64>, i32)>> {
    let (mut rest, mut depths, mut at, mut depth) = (bytes, Vec::new(), 0u64, -1i32);
    while at < size && depths.len() < STEPS_MAX {
        let step = varint(&mut rest)?;
        if step == 0 && !depths.is_empty() {
            break;
        }
        let difference = if step & 1 == 1 { !(step >> 1) as i32 } else { (step >> 1) as i32 };
        let end = at.checked_add(u64::from(varint(&mut rest)?) * quantum)?;
        depth = depth.checked_add(difference)?;
        depths.push((at..end, depth));
        at = end;
    }
    Some(depths)
}

fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
