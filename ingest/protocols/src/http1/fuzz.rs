//! Entry of the fuzz targets: any bytes as a script of segments.

use crate::fuzz::segments;
use crate::http1::{Limits, Parser, Pool};

/// Feeds arbitrary input: two bytes say direction, size, elision and gaps, the bytes after them are the content.
/// Returns how many exchanges came out.
pub fn run(input: &[u8]) -> u64 {
    let mut parser = Parser::new(Limits { body_bytes: 256 });
    let mut pool = Pool::default();
    let mut found = 0_u64;
    segments(input, |segment| {
        parser.segment(segment, &mut pool, &mut |exchange| {
            assert!(exchange.request.body_bytes <= exchange.request.wire_bytes || exchange.partial());
            found += 1;
        });
    });
    parser.finish(&mut pool, &mut |_| found += 1);
    found
}
