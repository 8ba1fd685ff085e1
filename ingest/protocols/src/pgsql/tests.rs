#![allow(clippy::unwrap_used)]
use super::Pgsql;
use crate::conformance::{Conversation, check, fuzz_mutations, recorded};
use crate::protocol::{Protocol, Setup, Side};

const COLUMNS: usize = 3;

fn conversations() -> Vec<Conversation> {
    recorded(include_str!("../../fixtures/pgsql.txt"))
}

fn rows(conversation: &Conversation) -> Vec<String> {
    check::<Pgsql>(conversation, Setup::default(), COLUMNS)
}

/// A typed message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[kind][..], &length, body].concat()
}

fn has(rows: &[String], wanted: &str) -> bool {
    rows.iter().any(|row| row.starts_with(wanted))
}

#[test]
fn extended_queries_have_their_parameters_filled_in() {
    let rows = rows(&conversations()[0]);
    assert_eq!(rows.len(), 16);
    assert!(rows[0].starts_with("STARTUP|user=app database=shop|"));
    assert!(has(&rows, "EXECUTE|select name from items where id=1|tea\nSELECT 1|"), "{}", rows[4]);
}

#[test]
fn statements_of_one_query_answer_together() {
    let rows = rows(&conversations()[1]);
    assert!(rows[0].starts_with("SSL REQUEST|-|N|8>1"));
    assert!(rows[2].contains("|a\n1\nSELECT 1\nUPDATE 1\nb\nx\nSELECT 1|"));
    assert!(rows[4].ends_with("failed=true"));
}

#[test]
fn pipelines_are_paired_and_end_at_an_error() {
    let rows = rows(&conversations()[2]);
    assert_eq!(rows.len(), 21);
    assert!(has(&rows, "EXECUTE|select 2::int8 as n|2\nSELECT 1|"));
    assert!(has(&rows, "BIND|select 1/0::int8|ERROR 22012 division by zero|"));
}

#[test]
fn copies_belong_to_their_query() {
    let rows = rows(&conversations()[3]);
    assert_eq!(rows.len(), 18);
    assert!(has(&rows, "QUERY|copy items(id,name) from stdin;|COPY 2|65>30"));
}

#[test]
fn cancel_is_a_row_and_replication_ends_the_parsing() {
    let cancel = [&16_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &[0; 8]].concat();
    assert_eq!(rows(&vec![('C', cancel)]), ["CANCEL|-|-|16>0 failed=false"]);
    let replication = vec![
        ('C', message(b'Q', b"START_REPLICATION 0/0\0")),
        ('S', message(b'W', &[0, 0, 0])),
        ('S', message(b'd', b"wal")),
        ('C', message(b'd', b"status")),
    ];
    assert!(rows(&replication).is_empty());
}

#[test]
fn suspended_portals_and_notifications_are_rows() {
    let found = rows(&vec![
        ('C', [message(b'P', b"s\0select $1\0\0\x01\0\0\0\x17"), message(b'S', b"")].concat()),
        ('S', [message(b'1', b""), message(b'Z', b"I")].concat()),
        ('C', message(b'B', b"p\0s\0\0\x01\0\x01\0\x01\0\0\0\x04\0\0\0\x2a\0\0")),
        ('C', [message(b'E', b"p\0\0\0\0\x01"), message(b'H', b"")].concat()),
        ('S', [message(b'2', b""), message(b'D', b"\0\x01\0\0\0\x0242"), message(b's', b"")].concat()),
        ('S', message(b'A', b"\0\0\0\x01news\0hi\0")),
        ('C', message(b'S', b"")),
        ('S', message(b'Z', b"I")),
    ]);
    assert_eq!(found.len(), 3);
    assert!(found[1].starts_with("EXECUTE|select 42|42\nPORTAL SUSPENDED|"), "{found:?}");
    assert!(found[2].starts_with("NOTIFICATION|-|news hi|"));
}

#[test]
fn openings_and_queries_are_certain() {
    for conversation in conversations() {
        for (who, bytes) in conversation.iter().filter(|(_, bytes)| bytes.len() > 6) {
            let side = if *who == 'C' { Side::Client } else { Side::Server };
            let found = Pgsql::infer(bytes);
            assert!(found.side.is_none_or(|found| found == side) && found.score >= 80, "{who} {found:?} {bytes:x?}");
        }
    }
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Pgsql>(&conversations().concat(), 50_000);
}
