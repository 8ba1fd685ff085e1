#![allow(clippy::unwrap_used)]
use super::Cql;
use super::frame::{crc24, crc32};
use crate::conformance::{Conversation, check, events, fuzz_mutations, run};
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

/// A segment of version 5 around a payload that is packed to `packed` bytes, if it is.
fn segment(payload: &[u8], packed: Option<&[u8]>, whole: bool) -> Vec<u8> {
    let on_wire = packed.unwrap_or(payload);
    let length = on_wire.len() as u64;
    let head = match packed {
        Some(_) => (length | (payload.len() as u64) << 17 | u64::from(whole) << 34).to_le_bytes()[..5].to_vec(),
        None => (length | u64::from(whole) << 17).to_le_bytes()[..3].to_vec(),
    };
    let crc = crc24(&head).to_le_bytes();
    [&head[..], &crc[..3], on_wire, &crc32(on_wire).to_le_bytes()].concat()
}

/// The conversation of version 4 as one of version 5, whose executions and queries have longer flags.
fn segmented(pack: impl Fn(&[u8]) -> Vec<u8>) -> Conversation {
    let mut found = Vec::new();
    for (index, (who, bytes)) in conversation(4).into_iter().enumerate() {
        if matches!(index, 2..=5) {
            continue;
        }
        let mut bytes = bytes;
        bytes[0] = bytes[0] & 0x80 | 5;
        found.push((who, if index < 2 { bytes } else { pack(&bytes) }));
    }
    found
}

#[test]
fn version_5_is_read_out_of_segments() {
    let plain = rows(&segmented(|bytes| segment(bytes, None, true)));
    let packed = rows(&segmented(|bytes| segment(bytes, Some(&lz4_flex::block::compress(bytes)), true)));
    let begins = [BEGINS[0], BEGINS[4], BEGINS[5], BEGINS[6]];
    for rows in [plain, packed] {
        assert_eq!(rows.len(), begins.len(), "{rows:#?}");
        assert!(
            rows.iter()
                .zip(begins)
                .all(|(row, begin)| row.replace("|-|", "||").starts_with(&begin.replace("|-|", "||")))
        );
    }
}

#[test]
fn a_long_envelope_is_joined_from_segments_and_wrong_checksums_are_not_read() {
    let query = envelope(5, 0, 1, 7, &[long(&b"select 1 ".repeat(300)), b"\0\x01\0\0\0\0".to_vec()].concat());
    let (first, second) = query.split_at(1000);
    let asked = [segment(first, None, false), segment(second, None, false)].concat();
    let answered = segment(&envelope(0x85, 0, 1, 8, b"\0\0\0\x01"), None, true);
    let found = rows(&vec![('C', asked.clone()), ('S', answered.clone())]);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(&format!("7|{}|8|", "select 1 ".repeat(300))));
    let mut broken = asked;
    broken[500] ^= 1;
    assert!(run::<Cql>(&events(&vec![('C', broken), ('S', answered)]), Setup::default(), COLUMNS).is_empty());
}

#[test]
fn bodies_are_unpacked() {
    let startup = |method: &[u8]| [&b"\0\x01"[..], &short(b"COMPRESSION"), &short(method)].concat();
    let query = [long(b"select a from b where c = 'c'"), b"\0\x01\0".to_vec()].concat();
    let lz4 = [&(query.len() as u32).to_be_bytes()[..], &lz4_flex::block::compress(&query)].concat();
    let snappy = snap::raw::Encoder::new().compress_vec(&query).unwrap();
    for (method, body) in [(&b"lz4"[..], lz4), (b"snappy", snappy)] {
        let found = rows(&vec![
            ('C', envelope(4, 0, 0, 1, &startup(method))),
            ('S', envelope(0x84, 0, 0, 2, b"")),
            ('C', envelope(4, 1, 1, 7, &body)),
            ('S', envelope(0x84, 0, 1, 8, b"\0\0\0\x01")),
        ]);
        assert!(found[1].starts_with("7|select a from b where c = 'c'|8|"), "{found:?}");
    }
}

#[test]
fn checksums_are_those_of_the_specification() {
    // Of CRC-24 as RFC 4880 has it, with another start: the bytes of an empty header give the start itself.
    assert_eq!(crc24(&[]), 0x87_5060);
    assert_ne!(crc24(&[1, 0, 2]), crc24(&[1, 0, 3]));
}

#[test]
fn envelopes_are_told_apart_by_side() {
    for (who, bytes) in conversation(4) {
        let side = if who == 'C' { Side::Client } else { Side::Server };
        let found = Cql::infer(&bytes);
        assert!(found.side == Some(side) && found.score >= 80, "{found:?}");
    }
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Cql>(&conversation(4), 50_000);
}
