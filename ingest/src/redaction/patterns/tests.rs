#![allow(clippy::unwrap_used)]
use super::{COMPILED, Kind, Patterns, SHAPES};

fn shown(text: &str) -> String {
    String::from_utf8(Patterns::of(&Kind::ALL).apply(text.as_bytes()).into_owned()).unwrap()
}

#[test]
fn all_shapes_compile() {
    assert_eq!((COMPILED.set.len(), COMPILED.shapes.len()), (SHAPES.len(), SHAPES.len()));
}

#[test]
fn credentials_of_headers_are_hidden_in_lines_and_in_json() {
    for (text, expected) in [
        (
            "Host: a\r\nAuthorization: Basic YWxhZGRpbg==\r\nAccept: b\r\n",
            "Host: a\r\nAuthorization: <redacted:authorization>\r\nAccept: b\r\n",
        ),
        ("x-api-key:1\r\nCookie: a=b; c=d\r\n", "x-api-key:<redacted:authorization>\r\nCookie: <redacted:cookies>\r\n"),
        (
            r#"{"Host":"a","authorization":"Digest x=\"y\", z","Set-Cookie":"s=1","Set-Cookie":"t=2","A":"b"}"#,
            r#"{"Host":"a","authorization":"<redacted:authorization>","Set-Cookie":"<redacted:cookies>","Set-Cookie":"<redacted:cookies>","A":"b"}"#,
        ),
        (r#"{"body":"{\"cookie\": \"a=b\", \"c\":1}"}"#, r#"{"body":"{\"cookie\": \"<redacted:cookies>\", \"c\":1}"}"#),
    ] {
        assert_eq!(shown(text), expected);
    }
}

#[test]
fn tokens_and_keys_are_hidden() {
    let github = format!("ghp_{}", "a1B2".repeat(9));
    for secret in [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "AKIAIOSFODNN7EXAMPLE",
        &github,
        "xoxb-123456789012-abcdef",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "sk-proj-abcdefghij0123456789",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    ] {
        let text = format!("GET /x?k={secret}&b=1 \"{secret}\"");
        assert_eq!(shown(&text), "GET /x?k=<redacted:tokens>&b=1 \"<redacted:tokens>\"");
    }
    for (text, expected) in [
        ("auth: Bearer abcDEF123456.x", "auth: Bearer <redacted:tokens>"),
        ("/login?password=hunter2&user=a", "/login?password=<redacted:tokens>&user=a"),
        (r#"{"access_token": "abc", "n": 1}"#, r#"{"access_token": "<redacted:tokens>", "n": 1}"#),
        ("SET passwd = 'x' WHERE a = 1", "SET passwd = '<redacted:tokens>' WHERE a = 1"),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b",
            "a -----BEGIN RSA PRIVATE KEY-----<redacted:tokens> b",
        ),
    ] {
        assert_eq!(shown(text), expected);
    }
}

#[test]
fn passwords_in_statements_are_hidden() {
    for (text, expected) in [
        ("ALTER USER ann WITH PASSWORD 'it''s, 1' VALID", "ALTER USER ann WITH PASSWORD '<redacted:tokens>' VALID"),
        (
            "CREATE ROLE a LOGIN ENCRYPTED PASSWORD E'a\\'b'",
            "CREATE ROLE a LOGIN ENCRYPTED PASSWORD E'<redacted:tokens>'",
        ),
        (
            "CREATE USER a IDENTIFIED BY 'x y' REQUIRE SSL",
            "CREATE USER a IDENTIFIED BY '<redacted:tokens>' REQUIRE SSL",
        ),
        (
            "GRANT ALL ON *.* TO a identified by password '*AB'",
            "GRANT ALL ON *.* TO a identified by password '<redacted:tokens>'",
        ),
        (
            "ALTER USER a IDENTIFIED WITH mysql_native_password BY \"x y\"",
            "ALTER USER a IDENTIFIED WITH mysql_native_password BY \"<redacted:tokens>\"",
        ),
        ("SET PASSWORD FOR 'a'@'%' = PASSWORD('x y')", "SET PASSWORD FOR 'a'@'%' = PASSWORD('<redacted:tokens>')"),
        ("SET PASSWORD = 'x y'", "SET PASSWORD = '<redacted:tokens>'"),
        (
            "CHANGE MASTER TO MASTER_PASSWORD='x y', MASTER_PORT=1",
            "CHANGE MASTER TO MASTER_PASSWORD='<redacted:tokens>', MASTER_PORT=1",
        ),
        (
            "CREATE ROLE a WITH PASSWORD = 'x y' AND LOGIN = true",
            "CREATE ROLE a WITH PASSWORD = '<redacted:tokens>' AND LOGIN = true",
        ),
        ("ALTER USER a PASSWORD 'cut o", "ALTER USER a PASSWORD '<redacted:tokens>"),
        ("SELECT password FROM users WHERE name = 'ann'", "SELECT password FROM users WHERE name = 'ann'"),
        ("SELECT 'identified by' AS what", "SELECT 'identified by' AS what"),
    ] {
        assert_eq!(shown(text), expected);
    }
}

#[test]
fn cards_are_told_by_their_check_digit() {
    for (text, expected) in [
        ("pay 4111111111111111 now", "pay <redacted:cards> now"),
        ("\"5500 0000 0000 0004\",\"3782-822463-10005\"", "\"<redacted:cards>\",\"<redacted:cards>\""),
        (
            "4111111111111112 0.4111111111111111 44444444444444444444444",
            "4111111111111112 0.4111111111111111 44444444444444444444444",
        ),
    ] {
        assert_eq!(shown(text), expected);
    }
}

#[test]
fn addresses_are_hidden_and_names_of_processes_are_not() {
    assert_eq!(shown("to=ann.b+c@mail.example.org;"), "to=<redacted:emails>;");
    assert_eq!(shown("/u/ann%40example.com/x"), "/u/<redacted:emails>/x");
    let patterns = Patterns::of(&[Kind::Emails]).with_host("node-1.example.com");
    assert_eq!(&*patterns.apply(b"nginx@node-1.example.com"), b"nginx@node-1.example.com");
    assert_eq!(&*patterns.apply(b"ann@example.com"), b"<redacted:emails>");
    assert_eq!(shown("redis-server@node1"), "redis-server@node1");
}

#[test]
fn ordinary_text_stays_as_it_is() {
    for text in [
        "SELECT * FROM users WHERE id = 17",
        "basic authentication is a bearer of documentation",
        "2026-11-25T12:00:00.123456789Z 10.1.2.3:8080",
        "a23e4567-e89b-12d3-a456-426614174000",
        "{\"cookies_enabled\":true,\"author\":\"ann\"}",
        "1700000000000000000",
        "",
    ] {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn only_what_is_asked_for_is_hidden() {
    let cards = Patterns::of(Kind::named("cards").unwrap());
    assert_eq!(&*cards.apply(b"ann@example.com 4111111111111111"), b"ann@example.com <redacted:cards>");
    assert!("none".parse::<Patterns>().unwrap().is_empty());
    assert!("card".parse::<Patterns>().is_err());
}

#[test]
fn keys_that_differed_differ_still() {
    let patterns = Patterns::of(&Kind::ALL);
    let key = |text: &str| patterns.apply_to_key(text.as_bytes()).into_owned();
    assert_eq!(key("ann@example.com"), key("ann@example.com"));
    assert_ne!(key("ann@example.com"), key("bob@example.com"));
    assert!(key("ann@example.com").starts_with(b"<redacted:emails:"));
}

#[test]
fn hiding_twice_is_hiding_once() {
    let text = "Authorization: Bearer abcDEF123456\r\nCookie: a=b\r\nann@example.com password=x";
    assert_eq!(shown(&shown(text)), shown(text));
}
