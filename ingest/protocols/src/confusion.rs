//! Whether recorded conversations are taken for what they are, among all protocols. For tests only.

use crate::conformance::recorded;
use crate::inference::{Scores, Verdict};
use crate::registry::PROTOCOLS;
use crate::segment::{Direction, Segment};

/// The name of what a conversation is taken for from its message `first` on, if it is decided, and whether the side of
/// requests is right.
pub(crate) fn judged(conversation: &[(char, Vec<u8>)], first: usize) -> Option<(&'static str, bool)> {
    let mut scores = Scores::new(PROTOCOLS, None);
    let mut positions = [0, 0];
    for (who, bytes) in &conversation[first..] {
        let direction = if *who == 'C' { Direction::Sent } else { Direction::Received };
        let position = positions[direction as usize];
        positions[direction as usize] += bytes.len() as u64;
        let segment = Segment { position, length: bytes.len() as u32, captured: bytes, direction, time_ns: 0 };
        if let Verdict::Is { candidate, requests } = scores.segment(PROTOCOLS, &segment, false, None) {
            return Some((PROTOCOLS[candidate].description.name, requests == Direction::Sent));
        }
    }
    None
}

#[test]
fn recordings_are_taken_for_nothing_else_from_any_message_on() {
    for (name, text) in [
        ("Redis", include_str!("../fixtures/redis.txt")),
        ("MySQL", include_str!("../fixtures/mysql.txt")),
        ("PostgreSQL", include_str!("../fixtures/pgsql.txt")),
        ("DNS", include_str!("../fixtures/dns-tcp.txt")),
    ] {
        let (mut right, mut undecided) = (0, 0);
        for (number, conversation) in recorded(text).iter().enumerate() {
            for first in 0..conversation.len() {
                match judged(conversation, first) {
                    Some(found) => {
                        assert_eq!(found, (name, true), "conversation {number} from message {first} on");
                        right += 1;
                    }
                    None => undecided += 1,
                }
            }
        }
        assert!(right > 4 * undecided, "{name}: {right} right, {undecided} undecided");
    }
}

#[test]
fn random_bytes_are_hardly_ever_taken_for_a_protocol() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut wrong = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..20_000 {
        let message = |random: &mut dyn FnMut() -> u64| {
            let length = 1 + random() % 300;
            (0..length).map(|_| random() as u8).collect::<Vec<u8>>()
        };
        let conversation: Vec<_> =
            (0..16).map(|at| (if at % 2 == 0 { 'C' } else { 'S' }, message(&mut random))).collect();
        if let Some((name, _)) = judged(&conversation, 0) {
            *wrong.entry(name).or_insert(0) += 1;
        }
    }
    assert!(wrong.values().sum::<u32>() <= 20, "{wrong:?} of 20,000");
}

#[test]
fn conversations_of_specifications_are_taken_for_nothing_else_from_any_message_on() {
    for (name, conversation) in [
        ("MongoDB", crate::mongodb::tests::conversation()),
        ("AMQP", crate::amqp::tests::conversation()),
        ("Mux", crate::mux::tests::conversation()),
        ("WebSocket", crate::websocket::tests::conversation()),
        ("WebSocket", recorded(include_str!("../fixtures/websocket.txt")).remove(0).split_off(2)),
    ] {
        let (mut right, mut undecided) = (0, 0);
        for first in 0..conversation.len() {
            match judged(&conversation, first) {
                Some(found) => {
                    assert_eq!(found, (name, true), "from message {first} on");
                    right += 1;
                }
                None => undecided += 1,
            }
        }
        assert!(right > 2 * undecided, "{name}: {right} right, {undecided} undecided");
    }
}

/// Bytes of a message behind which a connection may be met.
const MET_WITHIN: usize = 100;

#[test]
fn recordings_are_hardly_ever_taken_for_something_else_from_any_byte_on() {
    let (mut all, mut wrong) = (0, std::collections::BTreeMap::<(&str, &str), u32>::new());
    for (name, text) in [
        ("AMQP", include_str!("../fixtures/amqp.txt")),
        ("CQL", include_str!("../fixtures/cql.txt")),
        ("DNS", include_str!("../fixtures/dns-tcp.txt")),
        ("HTTP/2", include_str!("../fixtures/grpc.txt")),
        ("HTTP", include_str!("../fixtures/http1.txt")),
        ("HTTP/2", include_str!("../fixtures/http2.txt")),
        ("Kafka", include_str!("../fixtures/kafka.txt")),
        ("MongoDB", include_str!("../fixtures/mongodb.txt")),
        ("Mux", include_str!("../fixtures/mux.txt")),
        ("MySQL", include_str!("../fixtures/mysql.txt")),
        ("NATS", include_str!("../fixtures/nats.txt")),
        ("PostgreSQL", include_str!("../fixtures/pgsql.txt")),
        ("Redis", include_str!("../fixtures/redis.txt")),
        ("TLS", include_str!("../fixtures/tls.txt")),
    ] {
        for conversation in recorded(text) {
            for first in 0..conversation.len() {
                let mut rest = conversation[first..].to_vec();
                for _ in 0..rest[0].1.len().min(MET_WITHIN) {
                    all += 1;
                    if let Some((found, _)) = judged(&rest, 0).filter(|(found, _)| *found != name) {
                        *wrong.entry((name, found)).or_insert(0) += 1;
                    }
                    rest[0].1.remove(0);
                }
            }
        }
    }
    assert!(wrong.values().sum::<u32>() <= all / 1000, "{wrong:?} of {all}");
}
