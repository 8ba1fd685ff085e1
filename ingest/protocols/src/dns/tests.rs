#![allow(clippy::unwrap_used)]
use super::Dns;
use crate::conformance::{Conversation, check, events, fuzz_mutations, recorded, run};
use crate::protocol::Setup;

const DATAGRAMS: Setup = Setup { datagrams: true, body_bytes: 1024, from_start: true };
const COLUMNS: usize = 4;

fn udp() -> Conversation {
    recorded(include_str!("../../fixtures/dns-udp.txt")).remove(0)
}

fn tcp() -> Vec<Conversation> {
    recorded(include_str!("../../fixtures/dns-tcp.txt"))
}

/// Exchanges of the recording with BIND whose question has that name and type.
fn asked(name: &str, kind: &str) -> String {
    let question = format!("{{\"queries\":[{{\"name\":\"{name}\",\"type\":\"{kind}\"}}]");
    let rows = answered();
    rows.iter().find(|row| row.contains(&question)).unwrap_or_else(|| panic!("{question} in {rows:#?}")).clone()
}

fn answered() -> Vec<String> {
    run::<Dns>(&events(&udp()), DATAGRAMS, COLUMNS).into_iter().map(|(words, _)| words).collect()
}

#[test]
fn a_conversation_with_bind_over_udp_is_read_in_full() {
    let rows = check::<Dns>(&udp(), DATAGRAMS, COLUMNS);
    assert_eq!(rows.len(), udp().len() / 2);
    assert!(rows.iter().all(|row| row.contains("\"qr\":1")), "every query was answered");
    for row in &rows {
        for text in row.split('|').take(COLUMNS) {
            assert!(text.starts_with('{') && text.ends_with('}'), "{text}");
        }
    }
}

#[test]
fn conversations_with_bind_over_tcp_are_read_in_full() {
    let mut rows = Vec::new();
    for conversation in tcp() {
        rows.extend(check::<Dns>(&conversation, Setup::default(), COLUMNS));
    }
    assert_eq!(rows.len(), 6);
    assert!(rows[1].contains("AXFR"));
    assert!(rows[1].contains("\"type\":\"SRV\""), "a zone transfer shows its records");
}

#[test]
fn common_types_are_json_in_full() {
    for (name, kind, expected) in [
        ("www.example.test", "A", r#""type":"A","ttl":300,"addr":"192.0.2.1"}"#),
        ("www.example.test", "AAAA", r#""addr":"2001:db8::1""#),
        ("alias.example.test", "A", r#""type":"CNAME","ttl":300,"cname":"www.example.test"}"#),
        ("example.test", "MX", r#""preference":10,"exchange":"mail.example.test""#),
        ("example.test", "TXT", r#""text":["v=spf1 -all","second \"quoted\""]"#),
        ("example.test", "SOA", r#""mname":"ns1.example.test","rname":"host.example.test","serial":1,"refresh":3600"#),
        ("example.test", "CAA", r#""flags":0,"tag":"issue","value":"ca.example""#),
        ("_http._tcp.example.test", "SRV", r#""priority":1,"weight":2,"port":80,"target":"www.example.test""#),
        ("example.test", "NAPTR", r#""flags":"U","service":"E2U+sip","regexp":"!^.*$!sip:a@b!","replacement":".""#),
        ("example.test", "HTTPS", r#""target":".","params":{"alpn":["h2","h3"],"port":8443,"ipv4hint":["192.0.2.1"]}"#),
        (
            "example.test",
            "SSHFP",
            r#""algorithm":1,"fp_type":1,"fingerprint":"0123456789abcdef0123456789abcdef01234567""#,
        ),
        ("_443._tcp.example.test", "TLSA", r#""usage":3,"selector":1,"matching_type":1,"data":"0123"#),
        ("ptr.example.test", "PTR", r#""ptr":"www.example.test""#),
        ("x.sub.example.test", "A", r#""authorities":[{"name":"sub.example.test","type":"NS""#),
        ("x.dn.example.test", "A", r#""dname":"other.test""#),
        ("odd.example.test", "TYPE65280", r#""rdata":"0a000001""#),
    ] {
        let row = asked(name, kind);
        assert!(row.contains(expected), "{expected}\n{row}");
    }
}

#[test]
fn edns_is_an_object_of_its_own_and_not_a_record() {
    let row = asked("www.example.test", "AAAA");
    assert!(row.contains(r#""edns":{"version":0,"udp_size":1232,"do":0,"rcode":0,"options":["#), "{row}");
    assert!(!row.contains("OPT"));
}

#[test]
fn errors_fail_and_truncation_shows() {
    assert!(asked("nope.example.test", "A").ends_with("failed=true"));
    assert!(asked("other.org", "A").contains("\"rcode\":5"));
    assert!(asked("big.example.test", "TXT").contains("\"tc\":1"));
    assert!(asked("www.example.test", "A").ends_with("failed=false"));
}

#[test]
fn a_query_without_an_answer_is_a_row_that_says_so() {
    let query: Conversation = udp().into_iter().take(1).collect();
    let rows = run::<Dns>(&events(&query), DATAGRAMS, COLUMNS);
    assert_eq!(rows.len(), 1);
    assert!(rows[0].0.contains("|-|-|") && rows[0].0.ends_with(">0 failed=true"), "{rows:?}");
    let twice: Conversation = [query.clone(), udp().into_iter().take(2).collect()].concat();
    assert_eq!(run::<Dns>(&events(&twice), DATAGRAMS, COLUMNS).len(), 2, "a retry is a query too");
}

#[test]
fn an_answer_that_overtook_its_query_is_paired() {
    let swapped: Conversation = vec![udp()[1].clone(), udp()[0].clone()];
    let ordered: Conversation = udp().into_iter().take(2).collect();
    assert_eq!(run::<Dns>(&events(&swapped), DATAGRAMS, COLUMNS), run::<Dns>(&events(&ordered), DATAGRAMS, COLUMNS));
}

#[test]
fn multicast_has_no_pairs() {
    let mut query = udp()[0].1.clone();
    (query[0], query[1], query[2]) = (0, 0, 0);
    let rows = run::<Dns>(&events(&vec![('C', query.clone()), ('C', query)]), DATAGRAMS, COLUMNS);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|(row, _)| row.contains("failed=false")));
}

#[test]
fn names_cannot_loop_or_overrun() {
    for body in [&b"\xc0\x0c\0\x01\0\x01"[..], b"\xc0\x0e\xc0\x0c\0\x01\0\x01", b"\x3faaaa", b"\x80\0\0\x01\0\x01"] {
        let message = [b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0", body].concat();
        run::<Dns>(&events(&vec![('C', message)]), DATAGRAMS, COLUMNS);
    }
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Dns>(&udp(), 50_000);
    fuzz_mutations::<Dns>(&tcp().concat(), 50_000);
}
