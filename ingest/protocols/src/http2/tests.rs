#![allow(clippy::unwrap_used)]
use super::Http2;
use super::hpack::{Block, Table};
use crate::conformance::{check, events, fuzz_mutations, recorded, run};
use crate::protocol::{LIKELY, Setup, Side};

const COLUMNS: usize = 13;

#[test]
fn recordings_of_nghttp_and_curl_are_read_in_full() {
    let rows: Vec<String> = recorded(include_str!("../../fixtures/http2.txt"))
        .iter()
        .flat_map(|conversation| check::<Http2>(conversation, Setup::default(), COLUMNS))
        .collect();
    let mut seen: Vec<(&str, &str, &str)> = Vec::new();
    for row in &rows {
        let columns: Vec<&str> = row.split('|').collect();
        assert_eq!((columns[0], columns[1]), ("2", "0"));
        assert!(columns[3].contains(":method: GET\r\n"), "{row}");
        seen.push((columns[5], columns[9], columns[12]));
    }
    seen.sort_unstable();
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert_eq!((seen[0].0, seen[0].1, seen[0].2), ("/a.txt", "200", "6"));
    assert_eq!((seen[2].0, seen[2].1, seen[2].2), ("/b.txt", "200", "3000"));
    assert_eq!((seen[3].0, seen[3].1), ("/none", "404"));
}

#[test]
fn all_four_kinds_of_grpc_calls_are_read_in_full() {
    let conversation = recorded(include_str!("../../fixtures/grpc.txt")).remove(0);
    let rows = check::<Http2>(&conversation, Setup::default(), COLUMNS);
    let find = |path: &str| {
        let row = rows.iter().find(|row| row.contains(&format!("|{path}|"))).unwrap_or_else(|| panic!("{rows:#?}"));
        row.split('|').map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows.len(), 6);
    let unary = find("/test.Echo/Unary");
    assert_eq!((unary[2].as_str(), unary[6].as_str(), unary[9].as_str()), ("2", "1: \"abc\"", "200"));
    assert_eq!(unary[11], "1: \"hello\" 1: \"abc\"");
    assert!(unary[8].contains("grpc-status: 0\r\n"), "trailers are shown: {unary:?}");
    assert_eq!(find("/test.Echo/Server")[11], "1: 0\n1: 1\n1: 2");
    assert_eq!(find("/test.Echo/Client")[6], "1: 1\n1: 2");
    assert_eq!(find("/test.Echo/Bidi")[11], "1: 7\n1: 9");
    let bad = find("/test.Echo/Bad");
    assert!(bad[10] == "no such thing" && bad[13].ends_with("failed=true"), "{bad:?}");
}

#[test]
fn who_asks_is_told_in_the_middle_of_a_connection() {
    let window = b"\0\0\x04\x08\0\0\0\0\0\0\0\x10\0";
    // The authority is an entry of the dynamic table; then GET, a path, https.
    let request = b"\0\0\x09\x01\x05\0\0\0\x0f\xc1\x82\x44\x03/ab\x87\xc0";
    let answer = b"\0\0\x02\x01\x04\0\0\0\x0f\x88\xc5";
    let infer = |bytes: &[u8]| super::infer::infer(bytes);
    assert!(infer(window).score < LIKELY, "either side sends it");
    for bytes in [&request[..], &[&window[..], request].concat()] {
        assert_eq!(infer(bytes).side, Some(Side::Client));
        assert!(infer(bytes).score >= LIKELY);
        assert!(infer(&bytes[..bytes.len() - 9]).score < LIKELY, "only its header was read");
    }
    assert_eq!(infer(answer).side, Some(Side::Server));
}

#[test]
fn a_reset_is_a_failure_unless_the_answer_was_complete() {
    let request = ('C', b"\0\0\x03\x01\x04\0\0\0\x01\x82\x86\x84".to_vec());
    let answer = |flags: u8| ('S', vec![0, 0, 1, 1, flags, 0, 0, 0, 1, 0x88]);
    let reset = |code: u8| ('S', vec![0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, code]);
    let settings = ('S', vec![0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let preface = ('C', super::frame::PREFACE.to_vec());
    for (flags, code, failed) in [(5, 0, false), (4, 8, true), (4, 0, true)] {
        let conversation = vec![preface.clone(), settings.clone(), request.clone(), answer(flags), reset(code)];
        let rows = check::<Http2>(&conversation, Setup::default(), COLUMNS);
        assert_eq!(rows.len(), 1);
        assert!(rows[0].ends_with(&format!("failed={failed}")), "{rows:?}");
    }
}

#[test]
fn the_examples_of_the_rfc_decode() {
    // RFC 7541, C.4: three requests with Huffman coding on one table.
    let mut table = Table::default();
    let mut headers = |block: &[u8]| {
        let mut found = String::new();
        let decoded = table.decode(block, |name, value| {
            found += &format!("{}={};", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        });
        (decoded, found)
    };
    let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    let expected = ":method=GET;:scheme=http;:path=/;:authority=www.example.com;";
    assert_eq!(headers(first), (Block::Whole, expected.to_owned()));
    let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
    assert_eq!(headers(second), (Block::Whole, format!("{expected}cache-control=no-cache;")));
}

#[test]
fn an_unknown_entry_is_marked_and_later_ones_are_known() {
    let mut table = Table::default();
    assert_eq!(table.decode(b"\x82\xbe", |_, _| ()), Block::Unknown);
    assert_eq!(table.decode(b"\x40\x01a\x01b", |_, _| ()), Block::Whole);
    let mut found = Vec::new();
    assert_eq!(table.decode(b"\xbe", |name, value| found.extend([name, value].concat())), Block::Whole);
    assert_eq!(found, b"ab");
    assert_eq!(table.decode(b"\x40\x09a", |_, _| ()), Block::Broken);
    assert_eq!(table.decode(b"\xbe", |_, _| ()), Block::Unknown, "what a cut block added is not known");
}

#[test]
fn mutated_conversations_do_no_harm() {
    fuzz_mutations::<Http2>(&recorded(include_str!("../../fixtures/grpc.txt")).remove(0), 100_000);
}

#[test]
fn frames_in_the_unseen_middle_of_a_message_are_foreseen() {
    let frame = |kind: u8, flags: u8, content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], content].concat()
    };
    let message = [&[0, 0, 3, 0x0d, 0x40][..], &[b'x'; 200_000]].concat();
    let data = |flags: u8| -> Vec<u8> {
        let frames = message.chunks(16_384);
        let last = frames.len() - 1;
        frames.enumerate().flat_map(|(at, part)| frame(0, if at == last { flags } else { 0 }, part)).collect()
    };
    let named = |first: &[u8]| [first, b"\x40\x0ccontent-type\x10application/grpc"].concat();
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let asked = [frame(1, 4, &named(b"\x83\x86\x84")), data(1)].concat();
    let answered = [frame(1, 4, &named(b"\x88")), data(0), frame(1, 5, b"\x40\x0bgrpc-status\x010")].concat();
    for (seen, tail) in [(120_000, 4095), (40_000, 50), (16_300, 30_000)] {
        let mut lines = vec![('C', super::frame::PREFACE.to_vec()), ('S', settings.to_vec())];
        for (who, bytes) in [('C', &asked), ('S', &answered)] {
            let (head, tail) = bytes.split_at(bytes.len() - tail);
            lines.extend([(who, head.to_vec()), (who, tail.to_vec())]);
        }
        let mut events = events(&lines);
        events[2].cut(seen);
        events[4].cut(seen);
        let rows = run::<Http2>(&events, Setup::default(), COLUMNS);
        assert_eq!(rows.len(), 1, "{seen}");
        let (row, partial) = &rows[0];
        let columns: Vec<&str> = row.split('|').collect();
        assert_eq!((columns[7], columns[9], columns[12]), ("200005", "200", "200005"));
        assert!(columns[8].contains("grpc-status: 0\r\n") && *partial, "{row}");
    }
}

#[test]
fn data_that_says_to_be_padded_and_has_no_byte_is_a_body_of_none() {
    let frame = |kind: u8, flags: u8, content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], content].concat()
    };
    let asked = [super::frame::PREFACE, &frame(1, 4, b"\x83\x86\x84"), &frame(0, 9, b"")].concat();
    let lines = vec![('C', asked), ('S', [&b"\0\0\0\x04\0\0\0\0\0"[..], &frame(1, 5, b"\x88")].concat())];
    let rows = run::<Http2>(&events(&lines), Setup::default(), COLUMNS);
    let columns: Vec<&str> = rows[0].0.split('|').collect();
    assert_eq!((rows.len(), columns[7], columns[9]), (1, "0", "200"));
}
