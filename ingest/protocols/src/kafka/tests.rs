#![allow(clippy::unwrap_used)]
use super::Kafka;
use crate::conformance::{Conversation, check, fuzz_mutations};
use crate::protocol::Setup;

const COLUMNS: usize = 4;

fn rows(conversation: &Conversation) -> Vec<String> {
    check::<Kafka>(conversation, Setup::default(), COLUMNS)
}

fn message(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[..], content].concat()
}

/// A request by client `app-1`; `tags` are those of the header, empty before flexible versions.
fn request(key: i16, version: i16, id: i32, tags: &[u8], body: &[u8]) -> Vec<u8> {
    let (key, version, id) = (key.to_be_bytes(), version.to_be_bytes(), id.to_be_bytes());
    message(&[&key[..], &version, &id, b"\0\x05app-1", tags, body].concat())
}

fn answer(id: i32, body: &[u8]) -> Vec<u8> {
    message(&[&id.to_be_bytes()[..], body].concat())
}

fn conversation() -> Conversation {
    vec![
        (
            'C',
            request(
                18,
                3,
                1,
                b"\0",
                b"\x05java\x063.7.0"[..].iter().chain(b"\0").copied().collect::<Vec<_>>().as_slice(),
            ),
        ),
        ('S', answer(1, b"\0\0\x02\0\0\0\0\0\x0d\0\0\0\0\0\0")),
        (
            'C',
            [
                request(12, 3, 2, b"", b"\0\x01g\0\0\0\x07\0\x01m\xff\xff"),
                request(12, 0, 3, b"", b"\0\x01g\0\0\0\x07\0\x01m"),
            ]
            .concat(),
        ),
        ('S', [answer(3, b"\0\x16"), answer(2, b"\0\0\0\0\0\0")].concat()),
        ('C', request(0, 3, 4, b"", b"\xff\xff\0\0\0\0\x75\x30\0\0\0\0")),
        ('C', request(42, 2, 5, b"\0", b"\x02\x02g\0")),
        ('S', answer(5, b"\0\0\0\0\0\x02\x02g\0\0\0\0")),
    ]
}

#[test]
fn requests_pair_by_correlation_id_and_produce_without_acks_has_no_answer() {
    let rows = rows(&conversation());
    let keys: Vec<&str> = rows.iter().map(|row| row.split('{').next().unwrap()).collect();
    assert_eq!(keys, ["18|app-1|", "12|app-1|", "12|app-1|", "0|app-1|", "42|app-1|"], "{rows:#?}");
    assert!(rows[3].contains("|-|") && rows[3].contains(">0 "), "{}", rows[3]);
}

#[test]
fn a_hundred_thousand_mutations_are_harmless() {
    fuzz_mutations::<Kafka>(&conversation(), 100_000);
}
