#![allow(clippy::unwrap_used)]
use super::Mysql;
use crate::conformance::{Conversation, check, fuzz_mutations};
use crate::protocol::Setup;

const COLUMNS: usize = 4;

fn rows(conversation: &Conversation) -> Vec<String> {
    check::<Mysql>(conversation, Setup::default(), COLUMNS)
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    [&[a, b, c, sequence][..], payload].concat()
}

fn packets(first: u8, payloads: &[&[u8]]) -> Vec<u8> {
    let numbered = payloads.iter().zip(first..);
    numbered.flat_map(|(payload, sequence)| packet(sequence, payload)).collect()
}

const OK: &[u8] = b"\0\x01\0\x02\0\0\0";
const EOF: &[u8] = b"\xfe\0\0\x02\0";
const COLUMN: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0";

fn queries() -> Conversation {
    vec![
        ('C', packet(0, b"\x03select 1")),
        ('S', packets(1, &[b"\x01", COLUMN, EOF, b"\x011", b"\x012", EOF])),
        ('C', packet(0, b"\x03update t set a = 1")),
        ('S', packet(1, OK)),
        ('C', packet(0, b"\x03select nothing")),
        ('S', packet(1, b"\xff\x1e\x04#42S22Unknown column 'nothing'")),
        ('C', packet(0, b"\x03select 1; select 2")),
        ('S', packets(1, &[b"\x01", COLUMN, EOF, b"\x011", b"\xfe\0\0\x0a\0", b"\x01", COLUMN, EOF, EOF])),
        ('C', packet(0, b"\x16select ? + ?")),
        ('S', packets(1, &[b"\0\x07\0\0\0\x01\0\x02\0\0\0\0", COLUMN, COLUMN, EOF, COLUMN, EOF])),
        ('C', packet(0, b"\x17\x07\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfd\0\x2a\0\0\0\x04it's")),
        ('S', packets(1, &[b"\x01", COLUMN, EOF, b"\0\0\x2a", EOF])),
        ('C', packet(0, b"\x19\x07\0\0\0")),
        ('C', packet(0, b"\x0e")),
        ('S', packet(1, OK)),
        ('C', packet(0, b"\x01")),
    ]
}

#[test]
fn queries_and_prepared_statements_are_read_in_full() {
    let found = rows(&queries());
    let begins = [
        "3|select 1|2|Resultset rows = 2|",
        "3|update t set a = 1|2|-|",
        "3|select nothing|3|Unknown column 'nothing'|",
        "3|select 1; select 2|2|Resultset rows = 1, Resultset rows = 0|",
        "22|select ? + ?|2|-|",
        "23|select 42 + 'it''s'|2|Resultset rows = 1|",
        "25|-|1|-|",
        "14|-|2|-|",
        "1|-|1|-|",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (row, begin) in found.iter().zip(begins) {
        assert!(row.starts_with(begin), "{row}\n{begin}");
    }
    assert!(found[2].ends_with("failed=true"));
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Mysql>(&queries(), 50_000);
}
