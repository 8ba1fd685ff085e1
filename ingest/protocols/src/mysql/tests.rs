#![allow(clippy::unwrap_used)]
use super::Mysql;
use crate::conformance::{Conversation, check, events, fuzz_mutations, recorded, run};
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

fn conversations() -> Vec<Conversation> {
    recorded(include_str!("../../fixtures/mysql.txt"))
}

fn has(rows: &[String], wanted: &str) -> bool {
    rows.iter().any(|row| row.starts_with(wanted))
}

#[test]
fn a_conversation_with_mariadb_is_read_in_full() {
    let found = rows(&conversations()[0]);
    assert_eq!(found.len(), 15);
    assert!(found[0].starts_with("11|app|2|-|"));
    assert!(has(
        &found,
        "3|select 1; update items set name='x' where id=1; select 2,3 union select 4,5|2|Resultset rows = 1, Resultset rows = 2|"
    ));
    assert!(has(&found, "3|select nothing|3|Unknown column 'nothing' in 'SELECT'|"));
    assert!(has(
        &found,
        "3|load data local infile '/data/item.csv' into table items fields terminated by ','|2|-|110>78"
    ));
}

#[test]
fn parameters_of_the_binary_protocol_and_another_user_are_read() {
    let found = rows(&conversations()[1]);
    assert!(has(&found, "23|select name from items where id = 1 and name <> 'it''s'|2|Resultset rows = 1|"));
    assert!(has(&found, "23|insert into items values (9,NULL)|2|"));
    assert!(has(&found, "23|select '2024-01-02 03:04:05.000006', 1.5|2|Resultset rows = 1|"));
    assert!(has(&found, "17|app|2|-|"));
    assert!(has(&found, "9|-|2|Uptime: "));
}

#[test]
fn the_compressed_protocol_is_unpacked() {
    let found = rows(&conversations()[2]);
    assert!(
        has(&found, "23|select name from items where id = 1 and name <> 'it''s'|2|Resultset rows = 1|"),
        "{found:#?}"
    );
}

#[test]
fn rows_of_a_cursor_are_fetched_apart() {
    let mut conversation = queries();
    conversation.truncate(10);
    conversation.extend([
        ('C', packet(0, b"\x17\x07\0\0\0\x01\x01\0\0\0\0\x01\x03\0\xfd\0\x2a\0\0\0\x01a")),
        ('S', packets(1, &[b"\x01", COLUMN, b"\xfe\0\0\x42\0"])),
        ('C', packet(0, b"\x1c\x07\0\0\0\x02\0\0\0")),
        ('S', packets(1, &[b"\0\0\x2a", b"\0\0\x2b", b"\xfe\0\0\x42\0"])),
        ('C', packet(0, b"\x1c\x07\0\0\0\x02\0\0\0")),
        ('S', packet(1, b"\xfe\0\0\x82\0")),
    ]);
    let found = rows(&conversation);
    assert!(found[5].starts_with("23|select 42 + 'a'|2|Resultset rows = 0|"), "{found:#?}");
    assert!(found[6].starts_with("28|-|2|Resultset rows = 2|"));
    assert!(found[7].starts_with("28|-|2|Resultset rows = 0|"));
}

#[test]
fn results_without_closed_descriptions_are_read() {
    let login = [&0x0100_0200_u32.to_le_bytes()[..], &[0; 28], b"app\0\0"].concat();
    let ok = b"\xfe\0\0\x02\0\0\0";
    let found = rows(&vec![
        ('C', packet(1, &login)),
        ('S', packet(2, OK)),
        ('C', packet(0, b"\x16select ?")),
        ('S', packets(1, &[b"\0\x07\0\0\0\x01\0\x01\0\0\0\0", COLUMN, COLUMN])),
        ('C', packet(0, b"\x03select 1")),
        ('S', packets(1, &[b"\x01", COLUMN, b"\x011", ok])),
    ]);
    assert_eq!(found.len(), 3);
    assert!(found[1].starts_with("22|select ?|2|"));
    assert!(found[2].starts_with("3|select 1|2|Resultset rows = 1|"));
}

#[test]
fn payloads_over_16_mib_go_on_in_the_next_packet() {
    let mut statement = b"\x03select '".to_vec();
    statement.resize(0xff_ffff, b'x');
    let more = packet(1, b"xx'");
    let conversation = vec![
        ('C', [packet(0, &statement), more].concat()),
        ('S', packet(2, OK)),
        ('C', packet(0, b"\x0e")),
        ('S', packet(1, OK)),
    ];
    let found = run::<Mysql>(&events(&conversation), Setup::default(), COLUMNS);
    assert_eq!(found.len(), 2);
    assert!(found[0].0.starts_with("3|select 'xxx"));
    assert!(found[0].0.ends_with("16777226>11 failed=false"), "{}", &found[0].0[found[0].0.len() - 40..]);
}
