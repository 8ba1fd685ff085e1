//! Entry of the fuzz targets: any bytes as a script of segments.

use crate::http1::{Limits, Parser, Pool};
use crate::segment::{Direction, Segment};

/// Feeds arbitrary input: two bytes say direction, size, elision and gaps, the bytes after them are the content.
/// Returns how many exchanges came out.
pub fn run(input: &[u8]) -> u64 {
    let mut parser = Parser::new(Limits { body_bytes: 256 });
    let mut pool = Pool::default();
    let (mut positions, mut rest, mut time_ns, mut found) = ([0_u64; 2], input, 0_i64, 0_u64);
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
        let segment = Segment { position: at, length, captured, direction, time_ns };
        parser.segment(&segment, &mut pool, &mut |exchange| {
            assert!(exchange.request.body_bytes <= exchange.request.wire_bytes || exchange.partial());
            found += 1;
        });
        *position = at + u64::from(length);
    }
    parser.finish(&mut pool, &mut |_| found += 1);
    found
}
