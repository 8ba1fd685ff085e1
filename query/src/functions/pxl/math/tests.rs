//! Arithmetic at its edges: overflow, zero, NaN, infinities, signs.

use super::super::tests::check;

const MAX: &str = "9223372036854775807";

#[test]
fn integers_wrap_and_floats_do_not() {
    check(&[
        (&format!("px_add({MAX}, 1)"), "-9223372036854775808"),
        (&format!("px_subtract(px_negate({MAX}), 2)"), MAX),
        (&format!("px_multiply({MAX}, 2)"), "-2"),
        (&format!("px_abs(px_add({MAX}, 1))"), "-9223372036854775808"),
        ("px_add(1, 0.5)", "1.5"),
        ("px_add('a', 'ä')", "aä"),
        ("px_time_to_int64(px_add(px_int64_to_time(5), 2))", "7"),
        ("px_subtract(9, px_int64_to_time(5))", "4"),
        ("px_negate(-1.5)", "1.5"),
        ("px_invert(0)", "-1"),
    ]);
}

#[test]
fn quotients_are_floats() {
    check(&[
        ("px_divide(7, 2)", "3.5"),
        ("px_divide(1, 0)", "inf"),
        ("px_divide(-1.0, 0)", "-inf"),
        ("px_divide(0, 0)", "NaN"),
    ]);
}

#[test]
fn remainders_and_bins_go_towards_zero() {
    check(&[
        ("px_modulo(-7, 3)", "-1"),
        ("px_modulo(7, 0)", "0"),
        (&format!("px_modulo(px_add({MAX}, 1), -1)"), "0"),
        ("px_bin(-7, 3)", "-6"),
        ("px_bin(7, 0)", "7"),
        ("px_bin(7.9, 2)", "6"),
        ("px_time_to_int64(px_bin(px_int64_to_time(17), 5))", "15"),
    ]);
}

#[test]
fn rounding_makes_integers_and_text() {
    check(&[
        ("px_floor(-1.5)", "-2"),
        ("px_ceil(1.2)", "2"),
        ("px_ceil(px_divide(0, 0))", "0"),
        ("px_floor(1e300)", MAX),
        ("px_round(1.005, 1)", "1.0"),
        ("px_round(2, 3)", "2.000"),
        ("px_round(-0.5, 0)", "-0"),
        ("px_round(1.5, -1)", "1.500000"),
        ("px_length(px_round(1.5, 9223372036854775807))", "342"),
        ("px_round(px_divide(0, 0), 2)", "nan"),
        ("px_round(px_divide(1, 0), 2)", "inf"),
    ]);
}

#[test]
fn roots_and_logarithms() {
    check(&[
        ("px_log(10, 1000)", "2.9999999999999996"),
        ("px_log2(8)", "3"),
        ("px_log10(0)", "-inf"),
        ("px_ln(-1)", "NaN"),
        ("px_exp(0)", "1"),
        ("px_pow(2, 10)", "1024"),
        ("px_pow(4, 0.5)", "2"),
        ("px_sqrt(-1)", "NaN"),
        ("px_sqrt(9)", "3"),
    ]);
}
