//! Entry of the fuzz target.

/// Feeds arbitrary input; returns how many exchanges came out.
pub fn run(input: &[u8]) -> u64 {
    crate::fuzz::run::<super::Websocket>(input)
}
