#![allow(clippy::unwrap_used)]
use super::Websocket;
use crate::conformance::{Conversation, check, events, fuzz_mutations, run};
use crate::protocol::{CERTAIN, LIKELY, Protocol, Setup, Side};

const COLUMNS: usize = 8;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn head(first: u8, mask_bit: u8, payload: usize) -> Vec<u8> {
    match payload {
        0..126 => vec![first, mask_bit | payload as u8],
        126..65_536 => [&[first, mask_bit | 126][..], &(payload as u16).to_be_bytes()].concat(),
        _ => [&[first, mask_bit | 127][..], &(payload as u64).to_be_bytes()].concat(),
    }
}

fn server(first: u8, payload: &[u8]) -> Vec<u8> {
    [head(first, 0, payload.len()), payload.to_vec()].concat()
}

fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    [head(first, 0x80, payload.len()), MASK.to_vec(), masked].concat()
}

pub(crate) fn conversation() -> Conversation {
    let fragments = [client(0x01, b"in three "), client(0x89, b"beat"), client(0x00, b"fragments"), client(0x80, b"")];
    vec![
        ('C', client(0x81, br#"{"subscribe":"prices"}"#)),
        ('S', [server(0x81, b"first of two"), server(0x81, b"second of two")].concat()),
        ('C', fragments.concat()),
        ('S', server(0x8a, b"beat")),
        ('S', server(0x82, &[7; 300])),
        ('C', client(0x82, &[9; 70_000])),
        ('S', server(0xc1, b"\xaaV*.MJJ-.\x06\x00")),
        ('S', server(0x88, b"\x03\xf3error")),
        ('C', client(0x88, b"\x03\xe8")),
    ]
}

#[test]
fn messages_are_rows_of_their_sender() {
    let rows = check::<Websocket>(&conversation(), Setup::default(), COLUMNS);
    let expected = [
        r#"|client|1|1|0|22|{"subscribe":"prices"}|-|28>0 failed=false"#,
        "|server|1|1|0|12|first of two|-|0>14 failed=false",
        "|server|1|1|0|13|second of two|-|0>15 failed=false",
        "|client|9|1|0|4|beat|-|10>0 failed=false",
        "|client|1|3|0|18|in three fragments|-|36>0 failed=false",
        "|server|10|1|0|4|beat|-|0>6 failed=false",
        "|server|2|1|0|300||-|0>304 failed=false",
        "|client|2|1|0|70000||-|70014>0 failed=false",
        "|server|1|1|1|11||-|0>13 failed=false",
        "|server|8|1|0|7|error|1011|0>9 failed=true",
        "|client|8|1|0|2||1000|8>0 failed=false",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_text_is_kept_up_to_the_limit_over_its_fragments() {
    let conversation = vec![('S', [server(0x01, b"abcdef"), server(0x80, b"ghijkl")].concat())];
    let rows = run::<Websocket>(&events(&conversation), Setup { body_bytes: 8, ..Setup::default() }, COLUMNS);
    assert_eq!(rows[0].0, "|server|1|2|0|12|abcdefgh|-|0>16 failed=false");
}

#[test]
fn elided_payloads_are_counted() {
    let mut events = events(&vec![('C', client(0x82, &[1; 5000])), ('C', client(0x81, b"after it"))]);
    events[0].cut(100);
    let rows = run::<Websocket>(&events, Setup::default(), COLUMNS);
    let expected = [
        ("|client|2|1|0|5000||-|5008>0 failed=false".to_owned(), false),
        ("|client|1|1|0|8|after it|-|14>0 failed=false".to_owned(), false),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn the_end_of_a_message_without_its_beginning_is_partial() {
    let mut events = events(&vec![
        ('S', server(0x01, b"lost")),
        ('S', server(0x80, b"the end of it")),
        ('S', server(0x81, b"the next one")),
    ]);
    events.remove(0);
    let rows = run::<Websocket>(&events, Setup { from_start: false, ..Setup::default() }, COLUMNS);
    assert_eq!(rows.last().unwrap().0, "|server|1|1|0|12|the next one|-|0>14 failed=false");
}

#[test]
fn texts_are_certain_enough_and_other_bytes_are_not() {
    for (bytes, side) in [
        (client(0x81, br#"{"a":1}"#), Side::Client),
        (server(0x81, b"tick"), Side::Server),
        ([server(0x82, b"ab"), server(0x82, b"cd")].concat(), Side::Server),
        (client(0x88, b"\x03\xe8"), Side::Client),
    ] {
        let found = Websocket::infer(&bytes);
        assert!(found.score >= LIKELY && found.score < CERTAIN && found.side == Some(side), "{bytes:x?}: {found:?}");
    }
    let garbage =
        [&b"GET / HTTP/1.1"[..], b"\x82\x03abcd", b"\x81\x04\x00\x01\x02\x03", b"\x88\x02\x00\x01", b"\xf1\x00"];
    for bytes in garbage {
        assert!(Websocket::infer(bytes).score < LIKELY, "{bytes:x?}");
    }
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Websocket>(&conversation(), 100_000);
}
