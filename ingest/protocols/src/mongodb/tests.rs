#![allow(clippy::unwrap_used)]
use super::Mongodb;
use crate::conformance::{Conversation, check, events, fuzz_mutations, run};
use crate::protocol::{Protocol, Setup, Side};

const COLUMNS: usize = 4;

fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn text(name: &str, value: &str) -> Vec<u8> {
    element(2, name, &[&(value.len() as i32 + 1).to_le_bytes()[..], value.as_bytes(), &[0]].concat())
}

fn int(name: &str, value: i32) -> Vec<u8> {
    element(0x10, name, &value.to_le_bytes())
}

fn ok(value: f64) -> Vec<u8> {
    element(1, "ok", &value.to_le_bytes())
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let inner = elements.concat();
    [&(inner.len() as i32 + 5).to_le_bytes()[..], &inner, &[0]].concat()
}

fn message(id: i32, response_to: i32, opcode: i32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in [16 + body.len() as i32, id, response_to, opcode] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    [out, body.to_vec()].concat()
}

fn body(flags: u32, document: &[u8], more: &[u8]) -> Vec<u8> {
    [&flags.to_le_bytes()[..], &[0], document, more].concat()
}

fn msg(id: i32, response_to: i32, flags: u32, elements: &[Vec<u8>]) -> Vec<u8> {
    message(id, response_to, 2013, &body(flags, &document(elements), &[]))
}

fn sequence(name: &str, documents: &[Vec<u8>]) -> Vec<u8> {
    let inner = [name.as_bytes(), &[0], &documents.concat()].concat();
    [&[1][..], &(inner.len() as i32 + 4).to_le_bytes(), &inner].concat()
}

fn packed(plain: &[u8], compressor: u8) -> Vec<u8> {
    use std::io::Write;
    let (header, body) = plain.split_at(16);
    let content = match compressor {
        1 => snap::raw::Encoder::new().compress_vec(body).unwrap(),
        2 => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        3 => zstd::encode_all(body, 3).unwrap(),
        _ => body.to_vec(),
    };
    let id = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
    let size = (body.len() as i32).to_le_bytes();
    let inner = [&header[12..16], &size, &[compressor], &content].concat();
    message(id(4), id(8), 2012, &inner)
}

pub(crate) fn conversation() -> Conversation {
    let hello = [int("hello", 1), text("$db", "admin")];
    let find = [text("find", "users"), element(3, "filter", &document(&[int("age", 7)])), text("$db", "shop")];
    let batch = element(4, "firstBatch", &document(&[element(3, "0", &document(&[int("_id", 1)]))]));
    let cursor = element(3, "cursor", &document(&[batch, element(0x12, "id", &[0; 8])]));
    let inserted = sequence("documents", &[document(&[int("a", 1)]), document(&[text("b", "\"q\"")])]);
    let insert = body(1, &document(&[text("insert", "users")]), &[inserted, vec![1, 2, 3, 4]].concat());
    let query = [&[0; 4][..], b"admin.$cmd\0", &[0; 4], &[0xff; 4], &document(&[int("isMaster", 1)])].concat();
    let reply = [&[8, 0, 0, 0][..], &[0; 8], &[0; 4], &[1, 0, 0, 0], &document(&[ok(1.0)])].concat();
    vec![
        ('C', message(1, 0, 2004, &query)),
        ('S', message(101, 1, 1, &reply)),
        ('C', msg(2, 0, 0x1_0000, &hello)),
        ('S', msg(102, 2, 2, &[int("n", 1), ok(1.0)])),
        ('S', msg(103, 102, 0, &[int("n", 2), ok(1.0)])),
        ('C', [msg(3, 0, 0, &find), message(4, 0, 2013, &insert)].concat()),
        ('S', msg(104, 4, 0, &[int("n", 2), ok(1.0)])),
        ('S', msg(105, 3, 0, &[cursor, ok(1.0)])),
        ('C', msg(5, 0, 2, &[text("delete", "users")])),
        ('C', msg(6, 0, 0, &[text("nope", "x")])),
        ('S', msg(106, 6, 0, &[ok(0.0), text("errmsg", "no such command: 'nope'"), int("code", 59)])),
        ('C', packed(&msg(7, 0, 0, &[text("count", "users")]), 2)),
        ('S', packed(&msg(107, 7, 0, &[int("n", 5), ok(1.0)]), 1)),
        ('C', packed(&msg(8, 0, 0, &[text("drop", "users")]), 3)),
        ('S', packed(&msg(108, 8, 0, &[ok(1.0)]), 0)),
    ]
}

#[test]
fn commands_are_rows_with_their_replies() {
    let rows = check::<Mongodb>(&conversation(), Setup::default(), COLUMNS);
    let expected = [
        r#"isMaster|{"isMaster":1}|ok|{"ok":1.0}|"#,
        r#"hello|{"hello":1,"$db":"admin"}|ok|{"n":1,"ok":1.0}|"#,
        r#"hello|{"hello":1,"$db":"admin"}|ok|{"n":2,"ok":1.0}|0>"#,
        r#"insert|{"insert":"users","documents":[{"a":1},{"b":"\"q\""}]}|ok|{"n":2,"ok":1.0}|"#,
        r#"find|{"find":"users","filter":{"age":7},"$db":"shop"}|ok|{"cursor":{"firstBatch":[{"_id":1}],"id":0},"ok":1.0}|"#,
        r#"delete|{"delete":"users"}|-|-|"#,
        r#"nope|{"nope":"x"}|error|{"ok":0.0,"errmsg":"no such command: 'nope'","code":59}|"#,
        r#"count|{"count":"users"}|ok|{"n":5,"ok":1.0}|"#,
        r#"drop|{"drop":"users"}|ok|{"ok":1.0}|"#,
    ];
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    for (row, begin) in rows.iter().zip(expected) {
        assert!(row.starts_with(begin), "{row} is not {begin}");
        assert_eq!(row.ends_with("failed=true"), begin.starts_with("nope"));
    }
}

#[test]
fn messages_are_told_apart_by_side() {
    for (who, bytes) in conversation() {
        let side = if who == 'C' { Side::Client } else { Side::Server };
        let found = Mongodb::infer(&bytes);
        assert!(found.side == Some(side) && found.score >= 95, "{found:?}");
    }
}

#[test]
fn a_long_reply_is_shown_as_far_as_it_is_kept() {
    let many: Vec<Vec<u8>> = (0..3000).map(|n| int("n", n)).collect();
    let conversation = vec![
        ('C', msg(1, 0, 0, &[text("find", "t")])),
        ('S', msg(9, 1, 0, &[element(3, "cursor", &document(&many)), ok(1.0)])),
    ];
    let rows = run::<Mongodb>(&events(&conversation), Setup::default(), COLUMNS);
    assert!(rows[0].0.contains("|ok|{\"cursor\":{\"n\":0,\"n\":1,") && rows[0].0.len() < 10_000);
}

#[test]
fn sections_come_in_any_order_and_a_write_that_failed_is_an_error() {
    let documents = sequence("documents", &[document(&[int("_id", 1)])]);
    let insert = [&[0; 4][..], &documents, &[0], &document(&[text("insert", "t")])].concat();
    let failure = document(&[element(3, "0", &document(&[int("code", 11000)]))]);
    let conversation = vec![
        ('C', message(1, 0, 2013, &insert)),
        ('S', msg(9, 1, 0, &[int("n", 0), element(4, "writeErrors", &failure), ok(1.0)])),
    ];
    let rows = run::<Mongodb>(&events(&conversation), Setup::default(), COLUMNS);
    let begin =
        r#"insert|{"insert":"t","documents":[{"_id":1}]}|error|{"n":0,"writeErrors":[{"code":11000}],"ok":1.0}|"#;
    assert!(rows[0].0.starts_with(begin) && rows[0].0.ends_with("failed=true"), "{rows:?}");
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Mongodb>(&conversation(), 100_000);
}

#[test]
fn what_proves_who_somebody_is_is_in_no_row() {
    let payload = |name: &str| element(5, name, &[&[2, 0, 0, 0, 0][..], b"pw"].concat());
    let start = [int("saslStart", 1), text("mechanism", "PLAIN"), payload("payload")];
    let hello = [int("hello", 1), element(3, "speculativeAuthenticate", &document(&start))];
    let user = [text("createUser", "ann"), text("pwd", "secret"), text("$db", "shop")];
    let plain = [text("find", "c"), payload("payload"), text("pwd", "mine")];
    let said = [&start[..], &hello, &user, &plain].map(|command| msg(1, 0, 0, command));
    let found: Vec<String> = said
        .into_iter()
        .flat_map(|command| {
            let reply = msg(2, 1, 0, &[int("conversationId", 1), payload("payload"), ok(1.0)]);
            check::<Mongodb>(&vec![('C', command), ('S', reply)], Setup::default(), COLUMNS)
        })
        .collect();
    for (row, expected) in found.iter().zip([
        r#""mechanism":"PLAIN","payload":"<redacted>"}"#,
        r#""speculativeAuthenticate":{"saslStart":1,"mechanism":"PLAIN","payload":"<redacted>"}}"#,
        r#"{"createUser":"ann","pwd":"<redacted>","$db":"shop"}"#,
        r#"{"find":"c","payload":{"$binary":"7077"},"pwd":"mine"}"#,
    ]) {
        assert!(row.contains(expected) && row.contains(r#"{"conversationId":1,"payload":"<redacted>","#), "{row}");
    }
    assert_eq!(found.len(), 4);
}
