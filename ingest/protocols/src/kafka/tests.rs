#![allow(clippy::unwrap_used)]
use super::Kafka;
use crate::conformance::{Conversation, check, events, fuzz_mutations, run};
use crate::confusion::judged;
use crate::connection::{Connection, ConnectionParser};
use crate::exchange::{Exchange, Pool};
use crate::protocol::{Protocol, Setup, Side};
use crate::segment::{Direction, Segment};

const COLUMNS: usize = 4;

fn rows(conversation: &Conversation) -> Vec<String> {
    check::<Kafka>(conversation, Setup::default(), COLUMNS)
}

fn message(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes()[..], content].concat()
}

/// A request by client `app-1`; the body begins with the tags of the header in flexible versions.
fn request(key: i16, version: i16, id: i32, body: &[u8]) -> Vec<u8> {
    let (key, version, id) = (key.to_be_bytes(), version.to_be_bytes(), id.to_be_bytes());
    message(&[&key[..], &version, &id, b"\0\x05app-1", body].concat())
}

fn answer(id: i32, body: &[u8]) -> Vec<u8> {
    message(&[&id.to_be_bytes()[..], body].concat())
}

/// A batch of format 2 with its number of records, packed with gzip.
fn batch(records: u32, content: &[u8]) -> Vec<u8> {
    let fields = [b"\0\0\0\0\x02\0\0\0\0\0\x01".as_slice(), &[0; 34], &records.to_be_bytes(), content].concat();
    [&[0; 8][..], &(fields.len() as u32).to_be_bytes(), &fields].concat()
}

fn conversation() -> Conversation {
    let heartbeat = b"\0\x01g\0\0\0\x07\0\x01m";
    let heartbeats = [request(12, 3, 2, &[&heartbeat[..], b"\xff\xff"].concat()), request(12, 0, 3, heartbeat)];
    vec![
        ('C', request(18, 3, 1, b"\0\x05java\x063.7.0\0")),
        ('S', answer(1, b"\0\0\x02\0\0\0\0\0\x0d\0\0\0\0\0\0")),
        ('C', heartbeats.concat()),
        ('S', [answer(3, b"\0\x16"), answer(2, b"\0\0\0\0\0\0")].concat()),
        ('C', request(0, 3, 4, b"\xff\xff\0\0\0\0\x75\x30\0\0\0\0")),
        ('C', request(42, 2, 5, b"\0\x02\x02g\0")),
        ('S', answer(5, b"\0\0\0\0\0\x02\x02g\0\0\0\0")),
    ]
}

#[test]
fn requests_pair_by_correlation_id_and_produce_without_acks_has_no_answer() {
    let rows = rows(&conversation());
    let begins = [
        r#"18|app-1|{"client_software_name":"java","client_software_version":"3.7.0"}|{"error_code":0,"api_keys":[{"api_key":0,"min_version":0,"max_version":13}],"throttle_time_ms":0}|"#,
        r#"12|app-1|{"group_id":"g","generation_id":7,"member_id":"m"}|{"error_code":22}|"#,
        r#"12|app-1|{"group_id":"g","generation_id":7,"member_id":"m","group_instance_id":null}|{"throttle_time_ms":0,"error_code":0}|"#,
        r#"0|app-1|{"transactional_id":null,"acks":0,"timeout_ms":30000,"topics":[]}|-|"#,
        r#"42|app-1|{}|{}|"#,
    ];
    assert_eq!(rows.len(), begins.len(), "{rows:#?}");
    for (row, begin) in rows.iter().zip(begins) {
        assert!(row.starts_with(begin), "{row}\n{begin}");
        assert_eq!(row.ends_with("failed=true"), begin.contains(":22"), "{row}");
    }
}

const ID: &[u8; 16] = b"0123456789abcdef";

/// Metadata of topic `t`, then a fetch of it by its id, and a produce.
fn topics() -> Conversation {
    let found = [
        &b"\0\0\0\0\0\x02\0\0\0\x01\x05host\0\0\x23\x84\0\0\x03cl\0\0\0\x01\x02\0\0\x02t"[..],
        ID,
        b"\0\x02\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\x02\0\0\0\x01\x02\0\0\0\x01\x01\0\x80\0\0\0\0\0",
    ]
    .concat();
    let fetch = [
        &b"\0\0\0\x01\xf4\0\0\0\x01\x03\x20\0\0\0\0\0\0\0\0\0\0\0\x02"[..],
        ID,
        b"\x02\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\x05\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\0\x10\0\0\0\0\x01\x01\0",
    ]
    .concat();
    let records = [batch(3, b"packed"), batch(4, b"")].concat();
    let size = records.len() as u8 + 1;
    // Two bytes of a compact length.
    let size = [size | 0x80, 1];
    let fetched = [
        &b"\0\0\0\0\0\0\0\0\0\0\0\x02"[..],
        ID,
        b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0\x0c\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff",
        &size,
        &records,
        b"\0\0\0",
    ]
    .concat();
    let one = batch(2, b"abc");
    let produce = [b"\0\0\xff\xff\0\0\x75\x30\x02\x02t\x02\0\0\0\x01", &[one.len() as u8 + 1][..], &one, b"\0\0\0"];
    let produced = b"\0\x02\x02t\x02\0\0\0\x01\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0\0\0\0\0\0\0";
    vec![
        ('C', request(3, 12, 1, b"\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02t\0\x01\0\0")),
        ('S', answer(1, &found)),
        ('C', request(1, 15, 2, &fetch)),
        ('S', answer(2, &fetched)),
        ('C', request(0, 9, 3, &produce.concat())),
        ('S', answer(3, produced)),
    ]
}

#[test]
fn topics_are_named_by_id_and_records_counted_by_batch() {
    let rows = rows(&topics());
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert!(rows[0].contains(r#""name":"t","topic_id":"30313233-3435-3637-3839-616263646566""#), "{}", rows[0]);
    assert!(rows[1].contains(r#"[{"name":"t","topic_id":"30313233-3435-3637-3839-616263646566","partitions":[{"partition":0,"current_leader_epoch":-1,"fetch_offset":5"#), "{}", rows[1]);
    assert!(
        rows[1].contains(r#""preferred_read_replica":-1,"records":7,"record_bytes":128,"compression":"gzip"}]}]}"#),
        "{}",
        rows[1]
    );
    assert!(rows[2].contains(r#""topics":[{"name":"t","partitions":[{"partition":1,"records":2,"record_bytes":64,"compression":"gzip"}]}]}"#), "{}", rows[2]);
    assert!(rows[2].contains(r#""error_code":3,"base_offset":-1"#) && rows[2].ends_with("failed=true"), "{}", rows[2]);
}

#[test]
fn a_large_batch_is_counted_by_its_header_alone() {
    let one = batch(9, &vec![7; 300_000]);
    let size = (one.len() as u32).to_be_bytes();
    let produce = [b"\xff\xff\0\x01\0\0\x75\x30\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0", &size[..], &one].concat();
    let produced = b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
    let conversation = vec![('C', request(0, 3, 8, &produce)), ('S', answer(8, produced))];
    let found = run::<Kafka>(&events(&conversation), Setup::default(), COLUMNS);
    let [(row, false)] = &found[..] else { panic!("{found:?}") };
    assert!(row.contains(r#""records":9,"record_bytes":300061"#), "{row}");
}

#[test]
fn requests_are_recognised_and_other_protocols_are_not() {
    for (who, bytes) in conversation().iter().chain(&topics()).filter(|(who, bytes)| *who == 'C' && bytes.len() > 14) {
        let found = Kafka::infer(bytes);
        assert!(found.score >= 90 && found.side == Some(Side::Client), "{who} {found:?}");
    }
    for other in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"\0\0\0\x17\0\x03\0\0user\0a\0database\0b\0\0",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\0\0\0\0",
    ] {
        assert!(Kafka::infer(other).score < 80, "{other:?}");
    }
}

#[test]
fn conversations_are_taken_for_nothing_else_from_any_request_on() {
    for conversation in [conversation(), topics()] {
        for first in 0..conversation.len() {
            let found = judged(&conversation, first);
            assert!(found.is_none_or(|found| found == ("Kafka", true)), "from message {first} on: {found:?}");
            assert!(found.is_some() || conversation[first..].iter().all(|(who, _)| *who == 'S'), "from {first} on");
        }
    }
}

#[test]
fn an_answer_that_comes_before_its_request_is_read_with_it() {
    let mut swapped = topics();
    swapped.swap(0, 1);
    let found = run::<Kafka>(&events(&swapped), Setup::default(), COLUMNS);
    let usual = run::<Kafka>(&events(&topics()), Setup::default(), COLUMNS);
    assert_eq!(found, usual);
}

#[test]
fn a_topic_that_metadata_did_not_name_is_shown_by_id_and_marked() {
    let found = run::<Kafka>(&events(&topics()[2..4].to_vec()), Setup::default(), COLUMNS);
    let [(row, true)] = &found[..] else { panic!("{found:?}") };
    assert!(row.contains(r#""topics":[{"topic_id":"30313233-3435"#), "{row}");
}

#[test]
fn a_large_batch_whose_content_was_elided_stays_in_step() {
    let one = batch(9, &vec![7; 300_000]);
    let size = (one.len() as u32).to_be_bytes();
    let produce = [b"\xff\xff\0\x01\0\0\x75\x30\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0", &size[..], &one].concat();
    let bytes = request(0, 3, 8, &produce);
    let mut parser = Connection::<Kafka>::new(Setup::default(), Direction::Sent);
    let (mut pool, mut rows) = (Pool::default(), Vec::new());
    let next = request(12, 0, 9, b"\0\x01g\0\0\0\x07\0\x01m");
    let answers = [answer(8, b"\0\0\0\0\0\0\0\0"), answer(9, b"\0\0")].concat();
    for (direction, position, length, captured) in [
        (Direction::Sent, 0, bytes.len(), &bytes[..200]),
        (Direction::Sent, bytes.len(), next.len(), &next[..]),
        (Direction::Received, 0, answers.len(), &answers[..]),
    ] {
        let segment = Segment { position: position as u64, length: length as u32, captured, direction, time_ns: 1 };
        let mut sink = |exchange: &Exchange| rows.push(String::from_utf8_lossy(exchange.text(2)).into_owned());
        parser.segment(&segment, &mut pool, &mut sink);
    }
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains(r#""records":9,"record_bytes":300061"#), "{}", rows[0]);
}

#[test]
fn a_hundred_thousand_mutations_are_harmless() {
    fuzz_mutations::<Kafka>(&[conversation(), topics()].concat(), 100_000);
}
