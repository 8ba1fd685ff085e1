use super::Nats;
use crate::conformance::{Conversation, check, fuzz_mutations};
use crate::protocol::Setup;

fn conversation() -> Conversation {
    let turn = |who, text: &str| (who, text.as_bytes().to_vec());
    vec![
        turn('S', "INFO {\"server_id\":\"NA\",\"version\":\"2.9.10\",\"max_payload\":1048576}\r\n"),
        turn('C', "CONNECT {\"verbose\":false,\"lang\":\"python3\"}\r\nPING\r\n"),
        turn('S', "PONG\r\n"),
        turn('C', "SUB greet.* q 1\r\nSUB _INBOX.1.* 2\r\n"),
        turn('C', "PUB greet.joe 5\r\nhello\r\n"),
        turn('S', "MSG greet.joe 1 5\r\nhello\r\n"),
        turn('C', "HPUB orders _INBOX.1.7 22 24\r\nNATS/1.0\r\nBar: Baz\r\n\r\nhi\r\n"),
        turn('S', "MSG _INBOX.1.7 2 26\r\n{\"stream\":\"ORDERS\",\"seq\":1}\r\n".replace("26", "27").as_str()),
        turn('S', "HMSG other 1 12 14\r\nNATS/1.0\r\n\r\nok\r\n"),
        turn('S', "PING\r\n"),
        turn('C', "PONG\r\nUNSUB 1 5\r\n"),
        turn('S', "-ERR 'Unknown Protocol Operation'\r\n"),
    ]
}

#[test]
fn commands_are_rows_and_replies_find_their_requests() {
    let rows = check::<Nats>(&conversation(), Setup::default(), 3);
    let find =
        |start: &str| rows.iter().find(|row| row.starts_with(start)).unwrap_or_else(|| panic!("{start} {rows:#?}"));
    find("INFO|{\"server_id\":\"NA\"");
    find("CONNECT|{\"verbose\":false");
    find("PING|-|PONG|6>6");
    find("SUB|{\"subject\":\"greet.*\",\"queue_group\":\"q\",\"sid\":\"1\"}|-|");
    find("PUB|{\"subject\":\"greet.joe\",\"payload\":\"hello\"}|-|");
    find("MSG|{\"subject\":\"greet.joe\",\"sid\":\"1\",\"payload\":\"hello\"}|-|");
    find(
        "HPUB|{\"subject\":\"orders\",\"reply_to\":\"_INBOX.1.7\",\"headers\":\"NATS/1.0\\r\\nBar: Baz\",\"payload\":\"hi\"}|{\"stream\":\"ORDERS\",\"seq\":1}|",
    );
    assert!(find("ERR|-|'Unknown Protocol Operation'").ends_with("failed=true"));
}

#[test]
fn a_password_is_in_no_row() {
    let mut conversation = conversation();
    conversation[1].1 = b"CONNECT {\"user\":\"ann\",\"pass\":\"secret\",\"jwt\":\"ey\"}\r\nPING\r\n".to_vec();
    let rows = check::<Nats>(&conversation, Setup::default(), 3);
    let expected = "CONNECT|{\"user\":\"ann\",\"pass\":\"<redacted>\",\"jwt\":\"<redacted>\"}|";
    assert!(rows.iter().any(|row| row.starts_with(expected)), "{rows:#?}");
}

#[test]
fn mutated_conversations_do_no_harm() {
    fuzz_mutations::<Nats>(&conversation(), 100_000);
}
