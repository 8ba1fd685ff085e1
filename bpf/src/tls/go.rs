//! Where to probe Go's `crypto/tls`: behind the stack check of `Write`, which may be entered twice before it, and at
//! each return of `Read`. Return probes of the kernel are not for Go, whose stacks move.

mod arm;
mod functions;
mod x86;

use std::ops::Range;

use memchr::memmem;

use super::Site;
use super::elf::{Elf, Machine, long};
use functions::{Function, Functions};

const WRITE: &str = "crypto/tls.(*Conn).Write";
const READ: &str = "crypto/tls.(*Conn).Read";
/// One of these is in every executable of Go, stripped or not.
const MARKS: [&str; 4] = [".go.buildinfo", ".note.go.buildid", ".gopclntab", ".data.rel.ro.gopclntab"];
/// Between the return address and the arguments that the caller keeps room for there is nothing.
const RECEIVER: u64 = 8;
const BUFFER: u64 = 16;

/// What is known of a processor's code.
struct Shape {
    /// Where the instruction begins that ends at a place and makes room on the stack.
    makes_room: fn(&[u8], u64) -> Option<u64>,
    /// Whether an instruction that returns begins at a place.
    returns: fn(&[u8], u64) -> bool,
    /// Whether some instruction stores a register so far above the stack pointer.
    stores: fn(&[u8], u64) -> bool,
}

/// A function's code, and its place in memory.
struct Code {
    address: u64,
    bytes: Vec<u8>,
    depths: Vec<(Range<u64>, i32)>,
}

/// None where the file is not of Go, or without TLS; else a reason.
pub(super) fn sites(elf: &Elf) -> Result<Vec<Site>, String> {
    if elf.section(&MARKS).is_none() {
        return Ok(Vec::new());
    }
    let unknown = |what: &str| format!("{what} (built by {})", version(elf).as_deref().unwrap_or("an unknown Go"));
    let Some(functions) = Functions::find(elf) else {
        let reason = || Err(unknown("its function table is not as Go 1.16 and later write it"));
        return if mentions_tls(elf) { reason() } else { Ok(Vec::new()) };
    };
    let [write, read] = &functions.by_name(&[WRITE, READ])[..] else { return Ok(Vec::new()) };
    if write.is_none() && read.is_none() {
        return Ok(Vec::new());
    }
    let texts = functions.texts();
    texts
        .iter()
        .find_map(|text| sites_at(elf, *text, write.as_ref(), read.as_ref()))
        .ok_or_else(|| unknown("the code of its crypto/tls is not as Go 1.17 and later compile it"))
}

/// Where the text begins at `text`; `None` if the code there is not that of the functions.
fn sites_at(elf: &Elf, text: u64, write: Option<&Function>, read: Option<&Function>) -> Option<Vec<Site>> {
    let shape = match elf.machine {
        Machine::X86 => x86::SHAPE,
        Machine::Arm => arm::SHAPE,
    };
    let mut places = Vec::new();
    if let Some(write) = write {
        let code = Code::of(elf, text, write)?;
        places.push(("tls_go_write", code.address + code.behind_check(&shape)?));
    }
    if let Some(read) = read {
        let code = Code::of(elf, text, read)?;
        let returns = code.returns(&shape)?;
        places.extend(returns.into_iter().map(|place| ("tls_go_read", code.address + place)));
    }
    let site = |(program, address)| Some(Site { program, offset: elf.offset_of(address)?, at_return: false });
    places.into_iter().map(site).collect()
}

impl Code {
    fn of(elf: &Elf, text: u64, function: &Function) -> Option<Code> {
        let address = text.checked_add(function.entry)?;
        let bytes = elf.memory(address, function.size as usize)?;
        Some(Code { address, bytes, depths: function.depths.clone() })
    }

    /// The first instruction that moves the stack pointer: arguments are in their registers, and it runs once a call.
    fn behind_check(&self, shape: &Shape) -> Option<u64> {
        let [(before, 0), (_, 1..), ..] = &self.depths[..] else { return None };
        (shape.makes_room)(&self.bytes, before.end)
    }

    /// Every return, if the arguments are above the return address then.
    fn returns(&self, shape: &Shape) -> Option<Vec<u64>> {
        let frame = self.depths.iter().map(|(_, depth)| *depth).max()?;
        let frame = u64::try_from(frame).ok()?;
        self.behind_check(shape)?;
        if ![RECEIVER, BUFFER].iter().all(|place| (shape.stores)(&self.bytes, frame + place)) {
            return None;
        }
        let mut shallow: Vec<_> =
            self.depths[1..].iter().filter(|(_, depth)| *depth == 0).map(|(range, _)| range.start).collect();
        // What grows the stack comes last, and may follow a call that does not return.
        if shallow.last().is_some_and(|last| !(shape.returns)(&self.bytes, *last)) {
            shallow.pop();
        }
        let all = !shallow.is_empty() && shallow.iter().all(|place| (shape.returns)(&self.bytes, *place));
        all.then_some(shallow)
    }
}

fn mentions_tls(elf: &Elf) -> bool {
    let has_name = |piece: &[u8]| memmem::find(piece, READ.as_bytes()).map(|_| ());
    elf.sections.iter().any(|section| elf.pieces(section, READ.len(), &mut |_, piece| has_name(piece)).is_some())
}

/// The version of Go that built a file.
fn version(elf: &Elf) -> Option<String> {
    let section = elf.section(&[".go.buildinfo"])?;
    let info = elf.part(section, 0, section.size.min(256) as usize)?;
    let text = if info.get(15)? & 2 != 0 {
        let length = usize::from(*info.get(32)?);
        info.get(33..33 + length)?.to_vec()
    } else {
        let string = elf.memory(long(&info, 16)?, 16)?;
        elf.memory(long(&string, 0)?, long(&string, 8)?.min(64) as usize)?
    };
    Some(String::from_utf8_lossy(&text).split_whitespace().next()?.to_owned())
}

#[cfg(test)]
mod tests;
