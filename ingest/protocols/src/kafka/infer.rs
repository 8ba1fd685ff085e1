//! Scores beginnings: a request says much about itself, an answer only its length.

use super::frame::{Header, correlation, length};
use crate::protocol::{Inference, Side};

/// Scores the beginning of any buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    if bytes.len() < 14 {
        let possible = bytes.first().is_some_and(|first| *first < 7) && bytes.len() < 8;
        return if possible { Inference { score: 5, side: None } } else { answer(bytes) };
    }
    let Some(header) = Header::read(bytes) else { return answer(bytes) };
    let printable = header.client.iter().all(|byte| (0x20..0x7f).contains(byte));
    let exact = header.length as usize + 4 == bytes.len();
    // The small correlation id of an answer looks like API key 0 and a version.
    let distinct = header.key != 0;
    match header.client.len() {
        _ if !printable => answer(bytes),
        3.. if exact => Inference::of(Side::Client, 97),
        3.. => Inference::of(Side::Client, 90),
        1.. if exact && distinct => Inference::of(Side::Client, 90),
        1.. => Inference::of(Side::Client, 70),
        0 if exact && distinct => Inference::of(Side::Client, 85),
        0 => Inference { score: 20, side: None },
    }
}

fn answer(bytes: &[u8]) -> Inference {
    let exact = length(bytes).is_some_and(|length| length as usize + 4 == bytes.len());
    let possible = exact && correlation(bytes).is_some_and(|id| id >= 0);
    if possible { Inference { score: 20, side: None } } else { Inference::NO }
}
