//! What Go's compiler writes for AArch64.

use super::Shape;

pub(super) const SHAPE: Shape = Shape { makes_room, returns, stores };

const INSTRUCTION: u64 = 4;
const RETURN: u32 = 0xd65f_03c0;
const STACK_POINTER: u32 = 31;

/// All instructions are of one size, so whatever it is.
fn makes_room(_: &[u8], end: u64) -> Option<u64> {
    end.checked_sub(INSTRUCTION)
}

fn returns(code: &[u8], at: u64) -> bool {
    let bytes = code.get(at as usize..).and_then(|rest| rest.first_chunk());
    bytes.is_some_and(|bytes| u32::from_le_bytes(*bytes) == RETURN)
}

/// `MOVD any, place(RSP)` or one half of `STP (any, any), place(RSP)`.
fn stores(code: &[u8], place: u64) -> bool {
    let slot = (place / 8) as u32;
    let bits = |instruction: u32, from: u32, count: u32| instruction >> from & ((1 << count) - 1);
    code.chunks_exact(INSTRUCTION as usize).any(|bytes| {
        let Some(instruction) = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) else { return false };
        if bits(instruction, 5, 5) != STACK_POINTER {
            return false;
        }
        match (bits(instruction, 22, 10), bits(instruction, 10, 12), bits(instruction, 15, 7)) {
            (0x3e4, one, _) => one == slot,
            (0x2a4, _, first) => first == slot || first + 1 == slot,
            _ => false,
        }
    })
}
