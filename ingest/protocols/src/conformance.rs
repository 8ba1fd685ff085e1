//! What every protocol must stand, given a conversation of it: any split, gaps and elisions anywhere, starts in the
//! middle, and bytes turned into others. For tests only.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::connection::{Connection, ConnectionParser};
use crate::exchange::{Exchange, Pool, Value};
use crate::protocol::{Protocol, Setup};
use crate::segment::{Direction, Segment};

/// A message and who sent it: `C` the client, `S` the server. The client is the traced process.
pub(crate) type Conversation = Vec<(char, Vec<u8>)>;

/// An exchange in words, without its times: what must be the same whatever way bytes come.
pub(crate) fn words(exchange: &Exchange, columns: usize) -> String {
    let mut text = String::new();
    for column in 0..columns {
        match exchange.value(column) {
            Value::Empty => text.push('-'),
            Value::Int(value) => text.push_str(&value.to_string()),
            Value::Text(value) => text.push_str(&String::from_utf8_lossy(value)),
        }
        text.push('|');
    }
    text + &format!("{}>{} failed={}", exchange.request.bytes, exchange.response.bytes, exchange.failed)
}

/// One way in which bytes reach a parser.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    direction: Direction,
    position: u64,
    bytes: Vec<u8>,
    captured: usize,
}

impl Event {
    /// Only its first bytes are seen.
    pub(crate) fn cut(&mut self, captured: usize) {
        self.captured = captured;
    }
}

pub(crate) fn events(conversation: &Conversation) -> Vec<Event> {
    let mut positions = [0_u64; 2];
    let mut found = Vec::new();
    for (who, bytes) in conversation {
        let direction = if *who == 'C' { Direction::Sent } else { Direction::Received };
        let position = &mut positions[direction as usize];
        found.push(Event { direction, position: *position, captured: bytes.len(), bytes: bytes.clone() });
        *position += bytes.len() as u64;
    }
    found
}

/// What comes out, in words, and whether each was marked partial.
pub(crate) fn run<P: Protocol>(events: &[Event], setup: Setup, columns: usize) -> Vec<(String, bool)> {
    let mut parser = Connection::<P>::new(setup, Direction::Sent);
    let mut pool = Pool::default();
    let mut found = Vec::new();
    let mut sink = |exchange: &Exchange| {
        assert!(exchange.request.start_ns <= exchange.request.end_ns);
        assert!(exchange.response.start_ns <= exchange.response.end_ns);
        // What was lost may be the answer to a request that seems to have none.
        let unanswered = exchange.response.bytes == 0 && exchange.failed;
        found.push((words(exchange, columns), exchange.partial || unanswered));
    };
    let mut time_ns = 0;
    for event in events {
        time_ns += 1_000;
        let segment = Segment {
            position: event.position,
            length: event.bytes.len() as u32,
            captured: &event.bytes[..event.captured],
            direction: event.direction,
            time_ns,
        };
        parser.segment(&segment, &mut pool, &mut sink);
    }
    parser.expire(time_ns + 60_000_000_000, &mut pool, &mut sink);
    parser.finish(&mut pool, &mut sink);
    found
}

fn split(events: &[Event], lengths: &[usize]) -> Vec<Event> {
    let mut found = Vec::new();
    let mut lengths = lengths.iter().cycle();
    for event in events {
        let mut at = 0;
        while at < event.bytes.len() {
            let length = lengths.next().copied().unwrap_or(1).clamp(1, event.bytes.len() - at);
            let bytes = event.bytes[at..at + length].to_vec();
            let position = event.position + at as u64;
            found.push(Event { direction: event.direction, position, captured: length, bytes });
            at += length;
        }
    }
    found
}

/// Runs the whole battery; `columns` is the number of the table's own columns. Returns the exchanges of the
/// conversation, for the test to compare with what it expects.
pub(crate) fn check<P: Protocol>(conversation: &Conversation, setup: Setup, columns: usize) -> Vec<String> {
    let whole = events(conversation);
    let expected: Vec<String> = run::<P>(&whole, setup, columns).into_iter().map(|(words, _)| words).collect();
    if !setup.datagrams {
        any_split_gives_the_same::<P>(&whole, setup, columns, &expected);
        the_middle_is_enough::<P>(&whole, setup, columns, &expected);
    }
    nothing_is_invented::<P>(&whole, setup, columns, &expected);
    mutations_are_harmless::<P>(&whole, setup, columns);
    expected
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()))
}

fn any_split_gives_the_same<P: Protocol>(whole: &[Event], setup: Setup, columns: usize, expected: &[String]) {
    let bytewise: Vec<String> =
        run::<P>(&split(whole, &[1]), setup, columns).into_iter().map(|(words, _)| words).collect();
    assert_eq!(bytewise, expected, "byte by byte");
    let lengths = proptest::collection::vec(prop_oneof![1..8_usize, 1..200_usize], 1..20);
    runner(200)
        .run(&lengths, |lengths| {
            let found = run::<P>(&split(whole, &lengths), setup, columns);
            prop_assert!(found.iter().all(|(_, partial)| !partial) || expected.is_empty());
            let found: Vec<String> = found.into_iter().map(|(words, _)| words).collect();
            prop_assert_eq!(&found, expected);
            Ok(())
        })
        .expect("the same exchanges for every split");
}

/// Everything that is not marked must be an exchange of the whole conversation, and no more often than there.
fn assert_known(found: &[(String, bool)], expected: &[String]) -> Result<(), TestCaseError> {
    let mut known = BTreeMap::<&str, i32>::new();
    expected.iter().for_each(|words| *known.entry(words).or_default() += 1);
    for (words, _) in found.iter().filter(|(_, partial)| !partial) {
        let left = known.entry(words).or_default();
        *left -= 1;
        prop_assert!(*left >= 0, "invented: {words}");
    }
    prop_assert!(found.len() <= expected.len(), "{} exchanges of {}", found.len(), expected.len());
    Ok(())
}

fn the_middle_is_enough<P: Protocol>(whole: &[Event], setup: Setup, columns: usize, expected: &[String]) {
    let late = Setup { from_start: false, ..setup };
    for first in 0..whole.len() {
        let found = run::<P>(&whole[first..], late, columns);
        assert_known(&found, expected).expect("from the middle on, by message");
    }
    let total: usize = whole.iter().map(|event| event.bytes.len()).sum();
    let step = (total / 2000).max(1);
    for start in (0..total).step_by(step) {
        let mut before = start;
        let mut rest = Vec::new();
        for event in whole {
            let cut = before.min(event.bytes.len());
            before -= cut;
            if cut < event.bytes.len() {
                let bytes = event.bytes[cut..].to_vec();
                rest.push(Event {
                    position: event.position + cut as u64,
                    captured: bytes.len(),
                    bytes,
                    ..event.clone()
                });
            }
        }
        assert_known(&run::<P>(&rest, late, columns), expected).expect("from any byte on");
    }
}

fn nothing_is_invented<P: Protocol>(whole: &[Event], setup: Setup, columns: usize, expected: &[String]) {
    let harm = proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u16>()), 1..4);
    let lengths = proptest::collection::vec(1..300_usize, 1..8);
    runner(400)
        .run(&(harm, lengths), |(harm, lengths)| {
            let mut events = if setup.datagrams { whole.to_vec() } else { split(whole, &lengths) };
            for (which, kind, amount) in harm {
                if events.is_empty() {
                    break;
                }
                let at = which.index(events.len());
                match kind {
                    0 => drop(events.remove(at)),
                    1 => events[at].captured = usize::from(amount) % (events[at].bytes.len() + 1),
                    2 if !setup.datagrams => {
                        let again = events[at].clone();
                        events.insert(at, again);
                    }
                    _ => {
                        let last = (at + usize::from(amount % 3)).min(events.len());
                        events.drain(at..last);
                    }
                }
            }
            assert_known(&run::<P>(&events, setup, columns), expected)
        })
        .expect("nothing is invented");
}

fn mutations_are_harmless<P: Protocol>(whole: &[Event], setup: Setup, columns: usize) {
    let harm =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let lengths = proptest::collection::vec(1..300_usize, 1..8);
    runner(1000)
        .run(&(harm, lengths), |(harm, lengths)| {
            let mut events = if setup.datagrams { whole.to_vec() } else { split(whole, &lengths) };
            for (which, place, byte) in harm {
                let at = which.index(events.len());
                let event = &mut events[at];
                let place = place.index(event.bytes.len());
                event.bytes[place] = byte;
            }
            run::<P>(&events, setup, columns);
            Ok(())
        })
        .expect("no panic");
}

/// Feeds arbitrary input: two bytes say direction, size, elision and gaps, the bytes after them are the content.
/// Returns how many exchanges came out.
pub(crate) fn fuzz<P: Protocol>(input: &[u8]) -> u64 {
    crate::fuzz::run::<P>(input)
}

/// Runs `count` inputs through the entry of the fuzz target, made from messages of the conversation.
pub(crate) fn fuzz_mutations<P: Protocol>(conversation: &Conversation, count: u64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut input = Vec::new();
    for _ in 0..count {
        input.clear();
        input.push((random() & 1) as u8);
        for _ in 0..1 + random() % 6 {
            let (who, bytes) = &conversation[(random() % conversation.len() as u64) as usize];
            let bytes = &bytes[..bytes.len().min(255)];
            let mut control = u8::from(*who == 'S');
            if random() % 4 == 0 {
                control |= (random() & 0xfe) as u8;
            }
            input.extend_from_slice(&[control, bytes.len() as u8]);
            let at = input.len();
            input.extend_from_slice(bytes);
            for _ in 0..random() % 4 {
                let place = at + (random() % (bytes.len() as u64).max(1)) as usize;
                if let Some(byte) = input.get_mut(place) {
                    *byte = random() as u8;
                }
            }
        }
        fuzz::<P>(&input);
    }
}

/// Conversations of a recording with real programs: a line a segment, with the number of its connection, `C` or `S`,
/// and its bytes in hexadecimal digits.
pub(crate) fn recorded(text: &str) -> Vec<Conversation> {
    let mut found = BTreeMap::<u32, Conversation>::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(number), Some(who), Some(digits)) = (words.next(), words.next(), words.next()) else { continue };
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("recordings are ASCII");
            u8::from_str_radix(pair, 16).expect("recordings have hexadecimal digits")
        };
        let bytes: Vec<u8> = digits.as_bytes().chunks(2).map(byte).collect();
        let number = number.parse().expect("a connection's number");
        found.entry(number).or_default().push((if who == "C" { 'C' } else { 'S' }, bytes));
    }
    found.into_values().collect()
}
