//! Every recording against all protocols.

use super::{Scores, Verdict};
use crate::conformance::{Conversation, recorded};
use crate::registry::PROTOCOLS;
use crate::segment::{Direction, Segment};

fn recordings() -> Vec<(&'static str, bool, Vec<Conversation>)> {
    vec![
        ("DNS", true, recorded(include_str!("../../fixtures/dns-udp.txt"))),
        ("DNS", false, recorded(include_str!("../../fixtures/dns-tcp.txt"))),
        ("HTTP/2", false, recorded(include_str!("../../fixtures/http2.txt"))),
        ("HTTP/2", false, recorded(include_str!("../../fixtures/grpc.txt"))),
        ("TLS", false, recorded(include_str!("../../fixtures/tls.txt"))),
    ]
}

fn judge(conversation: &[(char, Vec<u8>)], datagrams: bool) -> Verdict {
    let mut scores = Scores::new(PROTOCOLS, None);
    let mut positions = [0_u64; 2];
    for (who, bytes) in conversation {
        let direction = if *who == 'C' { Direction::Sent } else { Direction::Received };
        let position = positions[direction as usize];
        let captured = &bytes[..bytes.len().min(1024)];
        let segment = Segment { position, length: bytes.len() as u32, captured, direction, time_ns: 0 };
        positions[direction as usize] += bytes.len() as u64;
        let verdict = scores.segment(PROTOCOLS, &segment, datagrams, None);
        if verdict != Verdict::Undecided {
            return verdict;
        }
    }
    scores.at_end(None)
}

fn name(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Is { candidate, .. } => Some(PROTOCOLS[candidate].description.name),
        Verdict::Undecided | Verdict::Unknown => None,
    }
}

#[test]
fn every_recording_is_judged_right_from_its_start_and_from_any_message() {
    for (expected, datagrams, conversations) in recordings() {
        for conversation in conversations {
            let verdict = judge(&conversation, datagrams);
            assert_eq!(name(verdict), Some(expected));
            if expected == "HTTP/2" {
                assert!(matches!(verdict, Verdict::Is { requests: Direction::Sent, .. }));
            }
            for first in 1..conversation.len() {
                let found = name(judge(&conversation[first..], datagrams));
                assert!(found.is_none() || found == Some(expected), "{expected} from {first} taken for {found:?}");
            }
        }
    }
}

#[test]
fn no_recording_is_judged_wrong_from_any_byte() {
    let (mut wrong, mut all) = (0, 0);
    for (expected, datagrams, conversations) in recordings() {
        for conversation in conversations.iter().filter(|_| !datagrams) {
            for (at, (who, bytes)) in conversation.iter().enumerate() {
                for cut in 1..bytes.len().min(400) {
                    let rest = [&[(*who, bytes[cut..].to_vec())], &conversation[at + 1..]].concat();
                    let found = name(judge(&rest, datagrams));
                    wrong += u32::from(found.is_some_and(|found| found != expected));
                    all += 1;
                }
            }
        }
    }
    assert!(wrong * 1000 <= all, "{wrong} of {all}");
}

#[test]
fn noise_is_nothing() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut wrong = 0;
    for _ in 0..10_000 {
        let conversation: Conversation = (0..12)
            .map(|turn| {
                let bytes = (0..64).map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state as u8
                });
                (if turn % 2 == 0 { 'C' } else { 'S' }, bytes.collect())
            })
            .collect();
        wrong += u32::from(name(judge(&conversation, false)).is_some());
    }
    assert!(wrong <= 10, "{wrong} of 10,000");
}

#[test]
fn other_protocols_are_nothing() {
    for text in ["SSH-2.0-OpenSSH_9.2\r\n", "220 mail ESMTP ready\r\n", "@RSYNCD: 31.0\n", "\x03\0\0\x13\x0e\0"] {
        let conversation = vec![('S', text.as_bytes().to_vec()), ('C', text.as_bytes().to_vec())];
        assert_eq!(name(judge(&conversation, false)), None, "{text:?}");
    }
}
