use super::Amqp;
use crate::conformance::{Conversation, check, events, fuzz_mutations, run};
use crate::protocol::{Protocol, Setup, Side};

const COLUMNS: usize = 8;

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &(payload.len() as u32).to_be_bytes(), payload, &[0xce]].concat()
}

fn method(channel: u16, class: u16, number: u16, arguments: &[&[u8]]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &number.to_be_bytes(), &arguments.concat()].concat())
}

fn short(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn content(channel: u16, flags: u16, properties: &[u8], bodies: &[&[u8]]) -> Vec<u8> {
    let size = bodies.iter().map(|body| body.len() as u64).sum::<u64>();
    let header = [&[0, 60, 0, 0][..], &size.to_be_bytes(), &flags.to_be_bytes(), properties].concat();
    let mut out = frame(2, channel, &header);
    bodies.iter().for_each(|body| out.extend(frame(3, channel, body)));
    out
}

pub(crate) fn conversation() -> Conversation {
    let table = long(&[&short("product")[..], b"S", &long(b"R"), &short("nack"), b"t\x01"].concat());
    let none = long(b"");
    let tag = 7_u64.to_be_bytes();
    let (q, empty) = (short("q"), short(""));
    let publish = [
        method(1, 60, 40, &[&[0, 0], &empty, &q, &[1]]),
        content(1, 0x9000, &[&short("text/plain")[..], &[2]].concat(), &[b"hel", b"lo"]),
    ];
    let deliver = [
        method(1, 60, 60, &[&short("c"), &tag, &[0], &empty, &q]),
        frame(8, 0, b""),
        content(1, 0x9000, &[&short("text/plain")[..], &[2]].concat(), &[b"hello"]),
    ];
    let got = [method(1, 60, 71, &[&tag, &[1], &empty, &q, &[0, 0, 0, 3]]), content(1, 0, b"", &[])];
    let gone = short("NOT_FOUND - no queue 'z'");
    vec![
        ('C', b"AMQP\0\0\x09\x01".to_vec()),
        ('S', method(0, 10, 10, &[&[0, 9], &table, &long(b"PLAIN"), &long(b"en_US")])),
        ('C', method(0, 10, 11, &[&none, &short("PLAIN"), &long(b"\0guest\0secret"), &short("en_US")])),
        ('S', method(0, 10, 30, &[&[7, 0xff, 0, 2, 0, 0, 0, 60]])),
        (
            'C',
            [method(0, 10, 31, &[&[7, 0xff, 0, 2, 0, 0, 0, 60]]), method(0, 10, 40, &[&short("/"), &[0, 0]])].concat(),
        ),
        ('S', method(0, 10, 41, &[&[0]])),
        ('C', method(1, 20, 10, &[&[0]])),
        ('S', method(1, 20, 11, &[&none])),
        ('C', method(1, 50, 10, &[&[0, 0], &q, &[2], &none])),
        ('S', method(1, 50, 11, &[&q, &[0, 0, 0, 1, 0, 0, 0, 2]])),
        ('C', publish.concat()),
        ('C', method(1, 60, 20, &[&[0, 0], &q, &short("c"), &[8], &none])),
        ('S', deliver.concat()),
        ('C', method(1, 60, 80, &[&tag, &[0]])),
        ('C', method(1, 60, 70, &[&[0, 0], &q, &[0]])),
        ('S', got.concat()),
        ('C', method(1, 50, 30, &[&[0, 0], &short("z"), &[0]])),
        ('S', method(1, 20, 40, &[&404_u16.to_be_bytes(), &gone, &[0, 50, 0, 30]])),
        ('C', method(1, 20, 41, &[])),
    ]
}

#[test]
fn methods_are_rows_with_answers_and_content() {
    let rows = check::<Amqp>(&conversation(), Setup::default(), COLUMNS);
    let close = r#"{"reply_code":404,"reply_text":"NOT_FOUND - no queue 'z'","class_id":50,"method_id":30}"#;
    let expected = [
        r#"1|0|10|10|10|11|{"version_major":0,"version_minor":9,"server_properties":{"product":"R","nack":true},"mechanisms":"PLAIN","locales":"en_US"}|{"client_properties":{},"mechanism":"PLAIN","locale":"en_US"}|"#,
        r#"1|0|10|30|10|31|{"channel_max":2047,"frame_max":131072,"heartbeat":60}|{"channel_max":2047,"#,
        r#"1|0|10|40|10|41|{"virtual_host":"/"}|{}|"#,
        r#"1|1|20|10|20|11|{}|{}|"#,
        r#"1|1|50|10|50|11|{"queue":"q","passive":false,"durable":true,"exclusive":false,"auto_delete":false,"no_wait":false,"arguments":{}}|{"queue":"q","message_count":1,"consumer_count":2}|"#,
        r#"1|1|60|40|-|-|{"exchange":"","routing_key":"q","mandatory":true,"immediate":false,"properties":{"content_type":"text/plain","delivery_mode":2},"body_size":5,"body":"hello"}|-|"#,
        r#"1|1|60|20|-|-|{"queue":"q","consumer_tag":"c","no_local":false,"no_ack":false,"exclusive":false,"no_wait":true,"arguments":{}}|-|"#,
        r#"1|1|60|60|-|-|{"consumer_tag":"c","delivery_tag":7,"redelivered":false,"exchange":"","routing_key":"q","properties":{"content_type":"text/plain","delivery_mode":2},"body_size":5,"body":"hello"}|-|"#,
        r#"1|1|60|80|-|-|{"delivery_tag":7,"multiple":false}|-|"#,
        r#"1|1|60|70|60|71|{"queue":"q","no_ack":false}|{"delivery_tag":7,"redelivered":true,"exchange":"","routing_key":"q","message_count":3,"properties":{},"body_size":0,"body":""}|"#,
        &format!(r#"1|1|50|30|20|40|{{"queue":"z","no_wait":false}}|{close}|"#),
        &format!("1|1|20|40|20|41|{close}|{{}}|"),
    ];
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    for (row, begin) in rows.iter().zip(expected) {
        assert!(row.starts_with(begin), "{row}\nis not\n{begin}");
        assert_eq!(row.ends_with("failed=true"), begin.contains("404"));
    }
}

#[test]
fn a_long_body_is_counted_and_its_head_shown() {
    let part = vec![b'x'; 100_000];
    let published =
        [method(1, 60, 40, &[&[0, 0], &short(""), &short("q"), &[0]]), content(1, 0, b"", &[&part, &part, &part])];
    let bytes = published.concat();
    let rows = run::<Amqp>(&events(&vec![('C', bytes.clone())]), Setup::default(), COLUMNS);
    let shown = format!(r#""body_size":300000,"body":"{}"}}|-|{}>0 failed=false"#, "x".repeat(1024), bytes.len());
    assert!(rows.len() == 1 && rows[0].0.ends_with(&shown) && !rows[0].1);
}

#[test]
fn frames_in_the_unseen_middle_of_a_body_are_foreseen() {
    let part = vec![b'x'; 100_000];
    let published = [
        method(1, 60, 40, &[&[0, 0], &short(""), &short("q"), &[0]]),
        content(1, 0, b"", &[&part, &part, &part, b"rest"]),
    ];
    let bytes = [published.concat(), method(1, 85, 10, &[&[1]])].concat();
    for (seen, tail) in [(110_000, 4095), (100_061, 20), (100_064, 250_000), (250_000, 13)] {
        let (head, tail) = bytes.split_at(bytes.len() - tail);
        let mut events = events(&vec![('C', head.to_vec()), ('C', tail.to_vec())]);
        events[0].cut(seen.min(head.len()));
        let rows = run::<Amqp>(&events, Setup::default(), COLUMNS);
        assert_eq!(rows.len(), 2, "{rows:?}");
        let shown =
            format!(r#""body_size":300004,"body":"{}"}}|-|{}>0 failed=false"#, "x".repeat(1024), bytes.len() - 13);
        assert!(rows[0].0.ends_with(&shown), "{:?}", rows[0]);
    }
}

#[test]
fn methods_are_told_apart_by_side() {
    for (who, bytes) in conversation() {
        let side = if who == 'C' { Side::Client } else { Side::Server };
        let found = Amqp::infer(&bytes);
        assert!(found.side.is_none_or(|found| found == side) && found.score >= 95, "{found:?}");
    }
}

#[test]
fn mutated_frames_do_no_harm() {
    fuzz_mutations::<Amqp>(&conversation(), 100_000);
}
