//! Inputs made of recorded conversations: a run of one, or of two, with a few bytes changed.

use std::collections::BTreeMap;

const SEGMENTS_MAX: u64 = 12;
const MUTATIONS_MAX: u64 = 6;
/// What counts and lengths are likely to be wrong with.
const EDGES: [u8; 6] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff];
/// The entry of the fuzz targets has lengths of one byte.
const SEGMENT_BYTES_MAX: usize = 255;

/// A generator with a seed of its own for each campaign.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn of(name: &str) -> Self {
        Random(
            name.bytes()
                .fold(0x9e37_79b9_7f4a_7c15, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// One side's bytes, short enough for the entry.
struct Segment {
    from_client: bool,
    bytes: Vec<u8>,
}

pub(crate) struct Corpus {
    conversations: Vec<Vec<Segment>>,
}

impl Corpus {
    /// Of recordings: a line a segment, with the number of its connection, `C` or `S`, and hexadecimal digits.
    pub(crate) fn new(recordings: &[&str]) -> Self {
        let mut conversations = BTreeMap::<(usize, u32), Vec<Segment>>::new();
        for (file, line) in
            recordings.iter().enumerate().flat_map(|(at, text)| text.lines().map(move |line| (at, line)))
        {
            let [number, who, digits] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            let bytes: Vec<u8> = digits.as_bytes().chunks(2).map(byte).collect();
            let conversation = conversations.entry((file, number.parse().unwrap())).or_default();
            for bytes in bytes.chunks(SEGMENT_BYTES_MAX) {
                conversation.push(Segment { from_client: who == "C", bytes: bytes.to_vec() });
            }
        }
        Corpus { conversations: conversations.into_values().collect() }
    }

    /// Writes an input.
    pub(crate) fn write(&self, random: &mut Random, input: &mut Vec<u8>) {
        input.clear();
        // The first byte says whether the start is seen, and whether the connection has datagrams.
        input.push(if random.one_in(4) { random.next() as u8 } else { 0 });
        let runs = if random.one_in(4) { 2 } else { 1 };
        (0..runs).for_each(|_| self.run(random, input));
        for _ in 0..random.next() % MUTATIONS_MAX {
            mutate(random, input);
        }
    }

    fn run(&self, random: &mut Random, input: &mut Vec<u8>) {
        let conversation = &self.conversations[random.below(self.conversations.len())];
        // Beginnings matter most: what follows depends on them.
        let first = if random.one_in(2) { 0 } else { random.below(conversation.len()) };
        let count = 1 + (random.next() % SEGMENTS_MAX) as usize;
        for segment in conversation[first..].iter().take(count) {
            let control = u8::from(!segment.from_client);
            let harm = if random.one_in(12) { random.next() as u8 & 0xfe } else { 0 };
            input.extend_from_slice(&[control | harm, segment.bytes.len() as u8]);
            input.extend_from_slice(&segment.bytes);
        }
    }
}

fn mutate(random: &mut Random, input: &mut Vec<u8>) {
    let at = random.below(input.len());
    match random.below(8) {
        0 => input[at] = random.next() as u8,
        1 => input[at] ^= 1 << random.below(8),
        2 | 3 => input[at] = EDGES[random.below(EDGES.len())],
        4 => drop(input.remove(at)),
        5 => input.insert(at, random.next() as u8),
        6 => {
            let length = random.below(input.len() - at).min(16);
            let copied = input[at..at + length].to_vec();
            let to = random.below(input.len());
            input.splice(to..to, copied);
        }
        _ => input.truncate(at.max(1)),
    }
    if input.is_empty() {
        input.push(0);
    }
}
