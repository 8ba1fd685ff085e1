#![allow(clippy::unwrap_used)]
use watershed_model::tables;

use super::literals::without;
use super::{Kind, Mask, Rule};

#[test]
fn rules_name_text_columns_headers_or_literals() {
    assert_eq!("redis_events.req_args".parse(), Ok(Rule::Column("redis_events", "req_args")));
    assert_eq!("header:Cookie".parse(), Ok(Rule::Header("cookie".into())));
    assert_eq!("literals".parse(), Ok(Rule::Literals));
    assert_eq!("values".parse(), Ok(Rule::Values));
    assert_eq!("builtin".parse(), Ok(Rule::Patterns(&Kind::ALL)));
    assert_eq!("cards".parse(), Ok(Rule::Patterns(&[Kind::Cards])));
    for wrong in ["", "header:", "redis_events", "redis_events.latency", "redis_events.none", "none.req_args"] {
        assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
    }
}

#[test]
fn statements_lose_their_literals_only() {
    for (statement, expected) in [
        ("SELECT * FROM t1 WHERE id = 17 AND name = 'it''s'", "SELECT * FROM t1 WHERE id = ? AND name = ?"),
        ("VALUES (1.5e3, 0xff, 'a\\'b', $1, -2)", "VALUES (?, ?, ?, $1, -?)"),
        ("SELECT $$a'b$$, $x$1$$2$x$ FROM \"T 1\"", "SELECT ?, ? FROM \"T 1\""),
        ("WHERE id = a23e4567-e89b-12d3-a456-426614174000", "WHERE id = ?"),
        ("name = 'cut of", "name = ?"),
        ("", ""),
    ] {
        assert_eq!(String::from_utf8(without(statement.as_bytes(), false)).unwrap(), expected);
    }
    assert_eq!(without(b"a = \"secret\" AND b = ''", true), b"a = ? AND b = ?");
}

#[test]
fn headers_lose_their_values() {
    let mask = Mask::of_table(&tables::HTTP_EVENTS, &["header:authorization".parse().unwrap()]);
    let at = tables::HTTP_EVENTS.columns.iter().position(|column| column.name == "req_headers").unwrap();
    let headers = b":path: /\r\nAuthorization: Basic abc\r\n folded\r\nHost: a\r\nauthorization:x";
    let shown = mask[at].as_ref().unwrap().apply(headers, b"").into_owned();
    let expected = ":path: /\r\nAuthorization: <redacted>\r\nHost: a\r\nauthorization: <redacted>\r\n";
    assert_eq!(String::from_utf8(shown).unwrap(), expected);
    assert_eq!(mask.iter().flatten().count(), 2);
}

#[test]
fn columns_are_hidden_unless_empty() {
    let mask = Mask::of_table(&tables::REDIS_EVENTS, &["redis_events.resp".parse().unwrap()]);
    let mask = mask.iter().flatten().next().unwrap();
    assert_eq!((&*mask.apply(b"value", b""), &*mask.apply(b"", b"")), (&b"<redacted>"[..], &b""[..]));
}

#[test]
fn redis_loses_its_values_and_keeps_its_keys() {
    let mask = Mask::of_table(&tables::REDIS_EVENTS, &[Rule::Values]);
    let of = |name: &str| {
        let at = tables::REDIS_EVENTS.column(name).unwrap();
        mask[at].as_ref().unwrap()
    };
    for (command, arguments, expected) in [
        ("SET", r#"["user:1","{\"a\":1}"]"#, r#"["user:1","<redacted>"]"#),
        ("MSET", r#"["a","1","b","2"]"#, r#"["a","<redacted>","<redacted>","<redacted>"]"#),
        ("AUTH", r#"["default","secret"]"#, r#"["<redacted>","<redacted>"]"#),
        ("SET", r#"["a","cut"#, r#"["a","<redacted>"]"#),
        ("PING", "[]", "[]"),
    ] {
        let shown = of("req_args").apply(arguments.as_bytes(), command.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), expected);
    }
    assert_eq!(&*of("resp").apply(b"a value", b"GET"), b"<redacted>");
    assert_eq!(&*of("resp").apply(b"OK", b"SET"), b"OK");
    assert_eq!(mask.iter().flatten().count(), 2);
}

#[test]
fn rules_add_up() {
    let rules = ["header:host".parse().unwrap(), "builtin".parse().unwrap()];
    let mask = Mask::of_table(&tables::HTTP_EVENTS, &rules);
    let of = |name: &str| mask[tables::HTTP_EVENTS.column(name).unwrap()].as_ref().unwrap();
    let shown = of("req_headers").apply(b"Host: a\r\nCookie: b=c\r\n", b"");
    assert_eq!(String::from_utf8_lossy(&shown), "Host: <redacted>\r\nCookie: <redacted:cookies>\r\n");
    assert_eq!(&*of("req_path").apply(b"/by/ann@example.com", b""), b"/by/<redacted:emails>");
}
