//! Texts: bytes, places that are none, and characters of several bytes.

use super::super::tests::check;

#[test]
fn positions_are_bytes_and_impossible_ones_give_nothing() {
    check(&[
        ("px_length('')", "0"),
        ("px_length('äb')", "3"),
        ("px_find('hello', 'l')", "2"),
        ("px_find('hello', 'x')", "-1"),
        ("px_find('', '')", "0"),
        ("px_substring('hello', 1, 3)", "ell"),
        ("px_substring('hello', 1, 99)", "ello"),
        ("px_substring('hello', 5, 1)", ""),
        ("px_substring('hello', 6, 1)", ""),
        ("px_substring('hello', -1, 3)", ""),
        ("px_substring('hello', 1, -3)", ""),
        ("px_substring('hello', 1, 9223372036854775807)", "ello"),
        ("px_substring('äb', 0, 1)", "\u{fffd}"),
        ("px_contains('abc', '')", "true"),
        ("px_contains('abc', 'B')", "false"),
    ]);
}

#[test]
fn case_and_ends() {
    check(&[
        ("px_tolower('ABC1')", "abc1"),
        ("px_toupper('abc1')", "ABC1"),
        ("px_trim(chr(9) || ' a b ' || chr(10))", "a b"),
        ("px_strip_prefix('ab', 'abab')", "ab"),
        ("px_strip_prefix('x', 'abab')", "abab"),
    ]);
}

#[test]
fn digits_to_numbers_and_bytes() {
    check(&[
        ("px_hex_to_ascii('414a')", "AJ"),
        ("px_hex_to_ascii('4')", ""),
        ("px_hex_to_ascii('zz')", ""),
        ("px_hex_to_ascii('ä')", ""),
        ("px_bytes_to_hex('Aä')", "\\x41\\xC3\\xA4"),
        ("px_atoi('-12', 7)", "-12"),
        ("px_atoi('12x', 7)", "7"),
        ("px_atoi('9223372036854775808', 7)", "7"),
        ("px_atoi('', -1)", "-1"),
        ("px_itoa(-9223372036854775807)", "-9223372036854775807"),
    ]);
}
