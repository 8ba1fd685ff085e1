#![allow(clippy::unwrap_used)]
use super::Cql;
use super::frame::{crc24, crc32};
use crate::conformance::{Conversation, check, fuzz_mutations};
use crate::protocol::{Protocol, Setup, Side};

const COLUMNS: usize = 4;

fn rows(conversation: &Conversation) -> Vec<String> {
    check::<Cql>(conversation, Setup::default(), COLUMNS)
}

fn envelope(version: u8, flags: u8, stream: i16, opcode: u8, body: &[u8]) -> Vec<u8> {
    let stream = stream.to_be_bytes();
    [&[version, flags, stream[0], stream[1], opcode][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text].concat()
}

fn short(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text].concat()
}

/// Metadata of one column `n` of type int in table `k.t`.
fn column() -> Vec<u8> {
    [b"\0\0\0\x01\0\0\0\x01".to_vec(), short(b"k"), short(b"t"), short(b"n"), b"\0\x09".to_vec()].concat()
}

fn conversation(version: u8) -> Conversation {
    let startup = [&b"\0\x01"[..], &short(b"CQL_VERSION"), &short(b"3.0.0")].concat();
    let answer = version | 0x80;
    let prepared = [
        b"\0\0\0\x04".to_vec(),
        short(b"id"),
        if version == 3 {
            column()
        } else {
            [b"\0\0\0\x01\0\0\0\x01\0\0\0\0".to_vec(), short(b"k"), short(b"t"), short(b"n"), b"\0\x09".to_vec()]
                .concat()
        },
        b"\0\0\0\x04\0\0\0\0".to_vec(),
    ]
    .concat();
    let execute = [short(b"id"), b"\0\x01\x01\0\x01\0\0\0\x04\0\0\0\x2a".to_vec()].concat();
    let rows =
        [b"\0\0\0\x02".to_vec(), column(), b"\0\0\0\x02\0\0\0\x04\0\0\0\x01\0\0\0\x04\0\0\0\x02".to_vec()].concat();
    let batch = [
        b"\0\0\x02\0".to_vec(),
        long(b"insert 1"),
        b"\0\0\x01".to_vec(),
        short(b"id"),
        b"\0\x01\0\0\0\x04\0\0\0\x07\0\x01\0".to_vec(),
    ]
    .concat();
    let error = [b"\0\0\x22\0".to_vec(), short(b"unconfigured table")].concat();
    let event = [short(b"STATUS_CHANGE"), short(b"UP"), b"\x04\x7f\0\0\x01\0\0\x23\x52".to_vec()].concat();
    let warned = [b"\0\x01".to_vec(), short(b"slow"), b"\0\0\0\x01".to_vec()].concat();
    vec![
        ('C', envelope(version, 0, 0, 1, &startup)),
        ('S', envelope(answer, 0, 0, 2, b"")),
        ('C', envelope(version, 0, 1, 9, &long(b"select n from t where n = ?"))),
        ('S', envelope(answer, 0, 1, 8, &prepared)),
        ('C', [envelope(version, 0, 2, 10, &execute), envelope(version, 0, 3, 13, &batch)].concat()),
        ('S', [envelope(answer, 0, 3, 8, b"\0\0\0\x01"), envelope(answer, 0, 2, 8, &rows)].concat()),
        ('C', envelope(version, 0, 4, 7, &[long(b"select * from nowhere"), b"\0\x01\0".to_vec()].concat())),
        ('S', envelope(answer, 0, 4, 0, &error)),
        ('S', envelope(answer, 0, -1, 12, &event)),
        ('C', envelope(version, 0, 5, 7, &[long(b"use k"), b"\0\x01\0".to_vec()].concat())),
        ('S', envelope(answer, 8, 5, 8, &warned)),
    ]
}

const BEGINS: [&str; 7] = [
    "1|CQL_VERSION=3.0.0|2|-|",
    "9|select n from t where n = ?|8|-|",
    "13|insert 1; select n from t where n = 7|8||",
    "10|select n from t where n = 42|8|{\"columns\":[\"n\"],\"rows\":2,\"more_pages\":false}|",
    "7|select * from nowhere|0|0x2200 unconfigured table|",
    "-|-|12|STATUS_CHANGE UP|",
    "7|use k|8||",
];

fn assert_begins(rows: &[String]) {
    assert_eq!(rows.len(), BEGINS.len(), "{rows:#?}");
    for (row, begin) in rows.iter().zip(BEGINS) {
        assert!(row.replace("|-|", "||").starts_with(&begin.replace("|-|", "||")), "{row}\n{begin}");
    }
}

#[test]
fn versions_3_and_4_are_read_in_full() {
    assert_begins(&rows(&conversation(3)));
    assert_begins(&rows(&conversation(4)));
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Cql>(&conversation(4), 50_000);
}
