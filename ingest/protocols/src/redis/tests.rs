#![allow(clippy::unwrap_used)]
use super::Redis;
use crate::conformance::{Conversation, check, events, fuzz_mutations, recorded, run};
use crate::protocol::{Protocol, Setup, Side};

const COLUMNS: usize = 3;

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
        println!("{index}: {rows:#?}");
        assert!(!rows.is_empty());
    }
}

#[test]
fn mutated_messages_do_no_harm() {
    fuzz_mutations::<Redis>(&conversations().concat(), 50_000);
}
