//! Damaged recordings: no panic and no allocation over the budget, neither in their reader nor in what makes tables of
//! the events. `WATERSHED_FUZZ_ITERATIONS` says how many.
#![allow(clippy::unwrap_used)]

#[path = "../protocols/tests/fuzz/allocations.rs"]
mod allocations;

use watershed_ingest::recording::{Block, Error, Reader, Writer};
use watershed_ingest::{Config, Event, Tables};

const ITERATIONS: u64 = 20_000;
/// What a recording of a few KiB may make its reader and the tables hold.
const LIVE_BYTES_MAX: u64 = 16 << 20;
/// An input is at most so many events of a real recording.
const EVENTS_MAX: usize = 24;
const HEADER_BYTES: usize = 12;
const BLOCK_HEADER_BYTES: usize = 8;

/// The header of a recording, and the events of a real one as they are written.
fn seeds() -> (Vec<u8>, Vec<Vec<u8>>) {
    let town = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/town.rec")).unwrap();
    let mut reader = Reader::new(&town[..]).unwrap();
    let mut events = Vec::new();
    let mut add = |event: &Event<'_>| {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file).unwrap();
        writer.write(event).unwrap();
        writer.flush().unwrap();
        drop(writer);
        events.push(file.split_off(HEADER_BYTES + BLOCK_HEADER_BYTES));
    };
    while reader.read_block(&mut add).unwrap() == Block::Whole {}
    (town[..HEADER_BYTES].to_vec(), events)
}

/// Reads as far as it goes; whether it was found damaged.
fn read(file: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(file) else { return true };
    let mut tables = Tables::new(&Config::default());
    loop {
        match reader.read_block(&mut |event| drop(tables.apply(event))) {
            Ok(Block::Whole) => {}
            Ok(Block::End | Block::CutOff) => return false,
            Err(Error::Damaged { .. }) => return true,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn fuzz_damaged_recordings() {
    let iterations = std::env::var("WATERSHED_FUZZ_ITERATIONS").ok().and_then(|text| text.parse().ok());
    let iterations = iterations.unwrap_or(ITERATIONS);
    let (header, events) = seeds();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) as usize % end.max(1)
    };
    let (mut file, mut block) = (Vec::new(), Vec::new());
    let (mut damaged, mut most_bytes) = (0_u64, 0);
    for _ in 0..iterations {
        block.clear();
        let first = below(events.len());
        events[first..].iter().take(1 + below(EVENTS_MAX)).for_each(|event| block.extend_from_slice(event));
        for _ in 0..below(4) {
            let at = below(block.len());
            match below(4) {
                0 => block[at] = below(256) as u8,
                1 => block[at] = [0, 0x7f, 0x80, 251, 252, 253, 254, 255][below(8)],
                2 => block.insert(at, below(256) as u8),
                _ => block.truncate(at.max(1)),
            }
        }
        file.clear();
        file.extend_from_slice(&header);
        file.extend_from_slice(&(block.len() as u32).to_le_bytes());
        file.extend_from_slice(&crc32fast::hash(&block).to_le_bytes());
        file.extend_from_slice(&block);
        // Most inputs have the right checksum, so that what is behind it is reached.
        if below(16) == 0 {
            let at = below(file.len());
            file[at] ^= 1 << below(8);
        }
        let before = allocations::begin();
        damaged += u64::from(read(&file));
        let live = allocations::most_since(before);
        assert!(live < LIVE_BYTES_MAX, "{live} bytes held at once for {file:02x?}");
        most_bytes = most_bytes.max(live);
    }
    assert!(damaged > iterations / 20 && damaged < iterations);
    println!("fuzz_damaged_recordings: {iterations} inputs, {damaged} damaged, {most_bytes} bytes held at most");
}
