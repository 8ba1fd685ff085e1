//! What is made unreadable, and what only looks like it.

use proptest::prelude::*;

use super::super::tests::check;
use super::{KINDS, redacted};

#[test]
fn personal_data_is_redacted() {
    for (text, expected) in [
        ("mail me.too+x@mail.example.com!", "mail <REDACTED_EMAIL>!"),
        ("from 10.1.2.3:80", "from <REDACTED_IPV4>:80"),
        ("from fd00::1 on", "from <REDACTED_IPV6> on"),
        ("mac 00:1b:44:11:3a:b7", "mac <REDACTED_MAC_ADDR>"),
        ("card 4111 1111 1111 1111.", "card <REDACTED_CC_NUMBER>."),
        ("imei 49-015420-323751-8", "imei <REDACTED_IMEI>"),
        ("iban DE89 3704 0044 0532 0130 00", "iban <REDACTED_IBAN>"),
        ("ssn 303-58-8256", "ssn <REDACTED_SSN>"),
        ("q=me%40home&x=1", "q=<REDACTED_EMAIL>&x=1"),
        ("DE89-3704-0044-0532-0130-00", "<REDACTED_IBAN>"),
        ("a@b.io,c@d.io", "<REDACTED_EMAIL>,<REDACTED_EMAIL>"),
    ] {
        assert_eq!(redacted(text), expected);
    }
}

#[test]
fn what_only_looks_like_it_stays() {
    for text in [
        "999.1.1.1",
        "12:34:56",
        "std::string",
        "::",
        "4111 1111 1111 1112",
        "v1.2.3",
        "ä@ö",
        "",
        "666-12-1234",
        "999-12-1234",
        "303-00-8256",
    ] {
        assert_eq!(redacted(text), text);
    }
    check(&[("px_redact_pii_best_effort(NULL)", "NULL")]);
}

#[test]
fn every_expression_compiles() {
    assert_eq!(KINDS.len(), 8);
}

proptest! {
    #[test]
    fn any_text_is_redacted_without_a_panic(text in ".{0,60}") {
        let _ = redacted(&text);
    }
}
