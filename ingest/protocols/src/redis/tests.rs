#![allow(clippy::unwrap_used)]
use super::Redis;
use crate::conformance::{Conversation, check, events, fuzz_mutations, recorded, run};
use crate::protocol::{Protocol, Setup, Side};

const COLUMNS: usize = 3;
/// Rows of each recorded conversation.
const ROWS: [usize; 6] = [9, 10, 12, 21, 23, 8];

fn conversations() -> Vec<Conversation> {
    recorded(include_str!("../../fixtures/redis.txt"))
}

fn said(lines: &[(char, &str)]) -> Conversation {
    lines.iter().map(|(who, text)| (*who, text.as_bytes().to_vec())).collect()
}

fn rows(lines: &[(char, &str)]) -> Vec<String> {
    let conversation = said(lines);
    check::<Redis>(&conversation, Setup::default(), COLUMNS)
}

#[test]
fn conversations_with_redis_are_read_in_full() {
    for (index, conversation) in conversations().iter().enumerate() {
        let rows = check::<Redis>(conversation, Setup::default(), COLUMNS);
        assert_eq!(rows.len(), ROWS[index], "{index}");
    }
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Redis>(&conversations().concat(), 50_000);
}

#[test]
fn pipelined_transactions_are_paired_in_order() {
    let found = rows(&[
        ('C', "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nset\r\n$1\r\na\r\n$1\r\n1\r\n*1\r\n$4\r\nEXEC\r\n"),
        ('S', "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"),
    ]);
    assert_eq!(
        found,
        [
            "MULTI|[]|OK|15>5 failed=false",
            "SET|[\"a\",\"1\"]|QUEUED|27>9 failed=false",
            "EXEC|[]|[\"OK\"]|14>9 failed=false",
        ]
    );
}

#[test]
fn every_type_of_resp3_is_written() {
    let command = "*2\r\n$6\r\nCONFIG\r\n$3\r\nget\r\n";
    for (reply, expected) in [
        ("%2\r\n+a\r\n:1\r\n:2\r\n_\r\n", "{\"a\":1,\"2\":null}"),
        ("~2\r\n#t\r\n,1.5\r\n", "[true,1.5]"),
        ("=7\r\ntxt:abc\r\n", "abc"),
        ("(12345678901234567890\r\n", "12345678901234567890"),
        ("|1\r\n+ttl\r\n:5\r\n$2\r\nhi\r\n", "hi"),
        ("*-1\r\n", "<NULL>"),
        ("$-1\r\n", "<NULL>"),
        ("*2\r\n*1\r\n:-3\r\n*0\r\n", "[[-3],[]]"),
        ("$0\r\n\r\n", ""),
    ] {
        let found = rows(&[('C', command), ('S', reply)]);
        assert_eq!(found, [format!("CONFIG GET|[]|{expected}|{}>{} failed=false", command.len(), reply.len())]);
    }
}

#[test]
fn errors_fail_and_redirections_are_noted() {
    for reply in ["-MOVED 3999 127.0.0.1:6381\r\n", "!9\r\nERR wrong\r\n", "-ASK 1 h:1\r\n"] {
        let found = rows(&[('C', "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"), ('S', reply)]);
        assert!(found[0].ends_with("failed=true"), "{found:?}");
    }
}

#[test]
fn long_values_pass_with_their_beginning_kept() {
    let value = "x".repeat(100_000);
    let command = format!("*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$100000\r\n{value}\r\n$1\r\nb\r\n$1\r\nc\r\n");
    let list = format!("*20000\r\n{}", "$3\r\nabc\r\n".repeat(20_000));
    let found = rows(&[
        ('C', &command),
        ('S', "+OK\r\n"),
        ('C', "*1\r\n$4\r\nKEYS\r\n"),
        ('S', &list),
        ('C', "*1\r\n$4\r\nPING\r\n"),
        ('S', "+PONG\r\n"),
    ]);
    assert_eq!(found.len(), 3);
    let expected = format!("MSET|[\"a\",\"{}\",\"b\",\"c\"]|OK|{}>5 failed=false", &value[..1024], command.len());
    assert_eq!(found[0], expected);
    assert!(found[1].ends_with(&format!(">{} failed=false", list.len())));
    assert!(found[2].starts_with("PING|[]|PONG"));
}

#[test]
fn passwords_are_in_no_row() {
    for (command, expected) in [
        ("AUTH secret", r#"AUTH|["<redacted>"]"#),
        ("auth ann secret", r#"AUTH|["ann","<redacted>"]"#),
        ("HELLO 3 AUTH ann secret SETNAME AUTH", r#"HELLO|["3","AUTH","ann","<redacted>","SETNAME","AUTH"]"#),
        ("HELLO 3 auth auth secret", r#"HELLO|["3","auth","auth","<redacted>"]"#),
        ("MIGRATE h 1 k 0 9 AUTH secret KEYS", r#"MIGRATE|["h","1","k","0","9","AUTH","<redacted>","KEYS"]"#),
        ("MIGRATE h 1 k 0 9 AUTH2 ann secret", r#"MIGRATE|["h","1","k","0","9","AUTH2","ann","<redacted>"]"#),
        ("CONFIG SET save 1 requirepass secret", r#"CONFIG SET|["save","1","requirepass","<redacted>"]"#),
        ("CONFIG SET masterauth secret save 1", r#"CONFIG SET|["masterauth","<redacted>","save","1"]"#),
        ("ACL SETUSER ann on >secret ~* +@all", r#"ACL SETUSER|["ann","on","<redacted>","~*","+@all"]"#),
        ("SENTINEL SET m auth-pass secret", r#"SENTINEL SET|["m","auth-pass","<redacted>"]"#),
        ("SET AUTH secret", r#"SET|["AUTH","secret"]"#),
    ] {
        let found = rows(&[('C', &format!("{command}\r\n")), ('S', "+OK\r\n")]);
        assert!(found[0].starts_with(&format!("{expected}|OK|")), "{found:?}");
    }
    let answer = "*2\r\n$11\r\nrequirepass\r\n$6\r\nsecret\r\n";
    for asked in ["requirepass", "*", "*PASS*"] {
        let found = rows(&[('C', &format!("CONFIG GET {asked}\r\n")), ('S', answer)]);
        assert!(found[0].starts_with(&format!("CONFIG GET|[\"{asked}\"]|<redacted>|")), "{found:?}");
    }
}

#[test]
fn messages_of_channels_are_rows_without_a_request() {
    let found = rows(&[
        ('C', "*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ('S', "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"),
        ('S', "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"),
    ]);
    assert_eq!(found.len(), 2);
    assert!(found[0].starts_with("SUBSCRIBE|[\"a\",\"b\"]|[\"subscribe\",\"a\",1]\n[\"subscribe\",\"b\",2]|"));
    assert!(found[1].starts_with("-|-|[\"message\",\"a\",\"hi\"]|0>"));
}

#[test]
fn commands_and_replies_are_told_apart_and_from_lines_of_others() {
    for conversation in conversations() {
        let (who, first) = &conversation[0];
        let found = Redis::infer(first);
        assert!(*who == 'C' && found.side == Some(Side::Client) && found.score >= 40);
    }
    for other in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "INFO {\"server_id\":1}\r\n", "AMQP\0\0\x09\x01", "\0\0\0\x10"] {
        assert!(Redis::infer(other.as_bytes()).score <= 50, "{other}");
    }
}

#[test]
fn a_gap_in_a_pipeline_costs_the_pipeline_and_a_few_behind_it() {
    let (command, reply) = ("*1\r\n$4\r\nPING\r\n", "+PONG\r\n");
    let (commands, replies) = (command.repeat(100), reply.repeat(100));
    for cut in [0, 1] {
        let mut lines = vec![('C', &commands[..]), ('S', &replies[..])];
        lines.extend([('C', command), ('S', reply)].repeat(100));
        let mut events = events(&said(&lines));
        events[cut].cut(320);
        let found = run::<Redis>(&events, Setup::default(), COLUMNS);
        assert!((90..200).contains(&found.len()), "{}", found.len());
    }
}
