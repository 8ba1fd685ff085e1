//! URIs: every part, missing parts, both ways, and what is none.

use proptest::prelude::*;

use super::super::tests::check;
use super::{composed, parse};

#[test]
fn every_part_is_found() {
    check(&[
        (
            "px_uri_parse('https://me:x@example.com:8443/a/b%20c?q=1&r=/?#top')",
            r#"{"scheme":"https","userInfo":"me:x","host":"example.com","port":8443,"path":"a/b%20c","query":"q=1&r=/?","fragment":"top"}"#,
        ),
        ("px_uri_parse('/a?b')", r#"{"path":"/a","query":"b"}"#),
        ("px_pluck(px_uri_parse('http://[fd00::1]:80/'), 'host')", "fd00::1"),
        ("px_pluck(px_uri_parse('mailto:me@example.com'), 'path')", "me@example.com"),
        ("px_uri_parse('')", "{}"),
        ("px_uri_parse('http://127.0.0.1')", r#"{"scheme":"http","host":"127.0.0.1"}"#),
    ]);
}

#[test]
fn what_is_no_uri_is_said_so() {
    for text in [
        "a b",
        "http://h:99999/",
        "http://h:x/",
        "http://h:-1",
        "%zz",
        "%4",
        "http://ä/",
        "1a:b",
        "http://[::1/",
        "a|b",
    ] {
        check(&[(&format!("px_uri_parse('{text}')"), "Failed to parse URI")]);
    }
}

#[test]
fn parts_make_a_uri() {
    check(&[
        ("px_uri_recompose('http', '', 'h', 80, '/a', 'b=1', 'c')", "http://h:80/a?b=1#c"),
        ("px_uri_recompose('http', 'me', 'fd00::1', 0, '', '', '')", "http://me@[fd00::1]"),
        ("px_uri_recompose('http', '', 'h', 0, 'a', '', '')", "http://h/a"),
        ("px_uri_recompose('http', '', 'h', 0, '', 'b=1', '')", "http://h/?b=1"),
        ("px_uri_recompose('http', '', 'h', -10, 'a', '', '')", "Failed to recompose URI"),
        ("px_uri_recompose('', '', '', 80, '/a', '', '')", "/a"),
        ("px_uri_recompose('', '', '', 0, '', '', '')", ""),
        ("px_uri_recompose('http', NULL, 'h', 80, '/a', '', '')", "NULL"),
    ]);
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_a_panic(text in "[a-c:/?#@%0-9\\[\\]ä ]{0,30}") {
        let _ = parse(&text);
    }

    #[test]
    fn a_uri_is_put_together_as_it_was(
        user in "([a-z]{1,3}@)?", host in "[a-z]{1,5}", port in 1_u16.., path in "(/[a-z]{0,4}){1,3}",
        query in "(\\?[a-z=&]{1,5})?", fragment in "(#[a-z]{1,3})?",
    ) {
        let text = format!("http://{user}{host}:{port}{path}{query}{fragment}");
        prop_assert_eq!(parse(&text).map(|uri| composed(&uri)), Some(text));
    }
}
