//! Entry of the fuzz targets of all protocols but HTTP/1: any bytes as a script of segments.

use crate::connection::{Connection, ConnectionParser};
use crate::exchange::Pool;
use crate::protocol::{Protocol, Setup};
use crate::segment::{Direction, Segment};

/// Feeds arbitrary input. Its first byte says whether the connection is seen from its start and whether it has
/// datagrams; then two bytes say direction, size, elision and gaps, and the bytes after them are the content. Returns
/// how many exchanges came out.
pub fn run<P: Protocol>(input: &[u8]) -> u64 {
    let [first, rest @ ..] = input else { return 0 };
    let datagrams = if first & 2 == 0 { !P::DESCRIPTION.streams } else { P::DESCRIPTION.datagrams };
    let setup = Setup { datagrams, body_bytes: 256, from_start: first & 1 == 0 };
    let mut parser = Connection::<P>::new(setup, Direction::Sent);
    let mut pool = Pool::default();
    let mut found = 0_u64;
    let time_ns = segments(rest, |segment| parser.segment(segment, &mut pool, &mut |_| found += 1));
    parser.expire(time_ns + 60_000_000_000, &mut pool, &mut |_| found += 1);
    parser.finish(&mut pool, &mut |_| found += 1);
    found
}

/// Reads input as segments; the time of the last one.
pub(crate) fn segments(input: &[u8], mut each: impl FnMut(&Segment<'_>)) -> i64 {
    let (mut positions, mut rest, mut time_ns) = ([0_u64; 2], input, 0_i64);
    while let [control, size, tail @ ..] = rest {
        let captured = &tail[..usize::from(*size).min(tail.len())];
        rest = &tail[captured.len()..];
        let direction = if control & 1 == 0 { Direction::Sent } else { Direction::Received };
        let elided = if control & 6 == 6 { u32::from(*size) } else { 0 };
        let lost = if control & 24 == 24 { u64::from(*control) } else { 0 };
        let rewound = if control & 96 == 96 { u64::from(*size / 2) } else { 0 };
        let position = &mut positions[direction as usize];
        let length = captured.len() as u32 + elided;
        let at = position.saturating_add(lost).saturating_sub(rewound);
        time_ns += i64::from(*size);
        each(&Segment { position: at, length, captured, direction, time_ns });
        *position = at + u64::from(length);
    }
    time_ns
}
