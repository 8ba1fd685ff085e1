//! Whole matches, groups, bad expressions, and many expressions.

use super::super::tests::check;
use super::{matches, replace};

#[test]
fn the_whole_text_has_to_match() {
    check(&[
        ("px_regex_match('a.c', 'abc')", "true"),
        ("px_regex_match('b', 'abc')", "false"),
        ("px_regex_match('a|ab', 'ab')", "true"),
        ("px_regex_match('.*', 'a' || chr(10) || 'b')", "true"),
        ("px_regex_match('', '')", "true"),
        ("px_regex_match('ä+', 'ää')", "true"),
        ("px_regex_match('(', 'a')", "false"),
        ("px_regex_match('a)(b', 'ab')", "false"),
        ("px_regex_match('(a{1000}){1000}', 'a')", "false"),
    ]);
    assert!(matches("(?x) a # letter", "a"));
}

#[test]
fn matches_are_replaced_with_groups() {
    check(&[
        (r"px_replace('(\w+)@(\w+)', 'me@home you@work', '\2 at \1')", "home at me work at you"),
        (r"px_replace('a', 'banana', '\\')", r"b\n\n\"),
        ("px_replace('x*', 'ab', '-')", "-a-b-"),
        ("px_replace('a', 'banana', '$0')", "b$0n$0n$0"),
        ("px_replace('(', 'a', 'b')", "Invalid regex expr: unclosed group"),
        (r"px_replace('a', 'a', '\1')", r"Invalid regex in substitution string: there is no group \1"),
        (
            r"px_replace('a', 'a', 'b\')",
            r"Invalid regex in substitution string: Rewrite schema error: '\' must be followed by a digit or '\'.",
        ),
    ]);
}

#[test]
fn replacements_are_bounded() {
    let made = replace("a", &"a".repeat(10_000), &"b".repeat(10_000));
    assert!(made.len() < (1 << 24) + 30_000);
}

#[test]
fn the_first_matching_rule_is_named() {
    check(&[
        (r#"px__match_regex_rule('{"z":"a.*","b":"ab"}', 'ab')"#, "z"),
        (r#"px__match_regex_rule('{"z":"(","b":"ab"}', 'ab')"#, "b"),
        (r#"px__match_regex_rule('{"z":1}', 'ab')"#, ""),
        ("px__match_regex_rule('no', 'ab')", ""),
    ]);
}

#[test]
fn more_expressions_than_are_kept_still_match() {
    for _ in 0..2 {
        assert!((0..100).all(|number| matches(&format!("{number}x?"), &number.to_string())));
    }
}
