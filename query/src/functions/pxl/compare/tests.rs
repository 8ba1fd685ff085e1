//! Comparisons: the epsilon, infinities, mixed types.

use super::super::tests::check;

#[test]
fn floats_are_equal_within_epsilon() {
    check(&[
        ("px_equal(0.1 + 0.2, 0.3)", "true"),
        ("px_equal(1e-17, 2e-17)", "true"),
        ("px_equal(1.0, 1.0000001)", "false"),
        ("px_notEqual(0.1 + 0.2, 0.3)", "false"),
        ("px_approxEqual(1, 1)", "true"),
        ("px_equal(px_divide(1, 0), px_divide(1, 0))", "false"),
        ("px_equal(px_divide(0, 0), px_divide(0, 0))", "false"),
        ("px_equal(1, 1.0)", "true"),
    ]);
}

#[test]
fn other_types_are_equal_exactly() {
    check(&[
        ("px_equal(9007199254740993, 9007199254740992)", "false"),
        ("px_equal('a', 'A')", "false"),
        ("px_notequal('ä', 'a')", "true"),
        ("px_equal(true, 1)", "true"),
        ("px_equal(2, true)", "false"),
        ("px_equal(px_int64_to_time(5), px_int64_to_time(5))", "true"),
    ]);
}

#[test]
fn order_and_logic() {
    check(&[
        ("px_lessThan(1, 2)", "true"),
        ("px_lessThan(1, 1.5)", "true"),
        ("px_greaterThan('b', 'ab')", "true"),
        ("px_lessThanEqual(px_divide(0, 0), 1.0)", "false"),
        ("px_greaterThanEqual(px_int64_to_time(5), px_int64_to_time(5))", "true"),
        ("px_logicalOr(0, 2)", "true"),
        ("px_logicalAnd(1, 0)", "false"),
        ("px_logicalAnd(true, true)", "true"),
        ("px_logicalNot(0)", "true"),
        ("px_logicalNot(true)", "false"),
    ]);
}
