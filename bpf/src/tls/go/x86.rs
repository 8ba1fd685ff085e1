//! What Go's compiler writes for x86-64.

use super::Shape;

pub(super) const SHAPE: Shape = Shape { makes_room, returns, stores };

/// `PUSHQ BP`, or `SUBQ $n, SP` as older compilers begin.
fn makes_room(code: &[u8], end: u64) -> Option<u64> {
    let before = code.get(..end as usize)?;
    let length = match before {
        [.., 0x55] => 1,
        [.., 0x48, 0x83, 0xec, _] | [.., 0x48, 0x83, 0xc4, 0x80] => 4,
        [.., 0x48, 0x81, 0xec, _, _, _, _] => 7,
        _ => return None,
    };
    Some(end - length)
}

fn returns(code: &[u8], at: u64) -> bool {
    code.get(at as usize) == Some(&0xc3)
}

/// `MOVQ any, place(SP)`.
fn stores(code: &[u8], place: u64) -> bool {
    let is_long = |prefix: u8| prefix == 0x48 || prefix == 0x4c;
    code.windows(8).any(|bytes| match *bytes {
        [prefix, 0x89, mode, 0x24, near, ..] if is_long(prefix) && mode & 0xc7 == 0x44 => {
            u64::from(near) == place && near < 128
        }
        [prefix, 0x89, mode, 0x24, a, b, c, d] if is_long(prefix) && mode & 0xc7 == 0x84 => {
            u64::from(u32::from_le_bytes([a, b, c, d])) == place
        }
        _ => false,
    })
}
