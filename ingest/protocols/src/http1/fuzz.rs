//! Entry of the fuzz targets: any bytes as a script of segments.

use crate::fuzz::segments;
use crate::http1::{Limits, Parser, Pool};

/// Feeds arbitrary input: the first byte says whether the connection is seen from its start; then two bytes say
/// direction, size, elision and gaps, and the bytes after them are the content. Returns how many exchanges came out.
pub fn run(input: &[u8]) -> u64 {
    let [first, rest @ ..] = input else { return 0 };
    let mut parser = Parser::new(Limits { body_bytes: 256 });
    if first & 1 == 1 {
        parser.starts_late();
    }
    let mut pool = Pool::default();
    let mut found = 0_u64;
    let time_ns = segments(rest, |segment| {
        parser.segment(segment, &mut pool, &mut |exchange| {
            assert!(exchange.request.body_bytes <= exchange.request.wire_bytes || exchange.partial());
            found += 1;
        });
    });
    parser.expire(time_ns + 60_000_000_000, &mut pool, &mut |_| found += 1);
    parser.finish(&mut pool, &mut |_| found += 1);
    found
}
