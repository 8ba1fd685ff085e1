//! `select` of every type, of columns and constants.

use super::super::tests::check;

#[test]
fn the_condition_chooses() {
    check(&[
        ("px_select(true, 1, 2)", "1"),
        ("px_select(false, 1.5, 2)", "2"),
        ("px_select(1 > 2, 'a', 'b')", "b"),
        ("px_select(x, true, false) FROM (VALUES (false)) t(x)", "false"),
        ("px_time_to_int64(px_select(true, px_int64_to_time(5), px_int64_to_time(6)))", "5"),
        ("px_select(NULL, 1, 2)", "NULL"),
    ]);
}
