//! Whether a buffer is a RESP value, and whose.

use super::frame::Scan;
use super::table::is_command;
use crate::protocol::{Inference, Measure, Side};

/// Scores any buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    match bytes.first() {
        Some(b'*') => array(bytes),
        Some(b'$' | b'%' | b'~' | b'>' | b'!' | b'=') => reply(bytes, 88),
        Some(b':' | b'_' | b'#' | b',' | b'(') => reply(bytes, 60),
        Some(b'+') if bytes.starts_with(b"+PONG\r\n") || bytes.starts_with(b"+QUEUED\r\n") => reply(bytes, 90),
        Some(b'+') => reply(bytes, 60),
        Some(b'-') => reply(bytes, if known_error(bytes) { 90 } else { 60 }),
        Some(_) => inline(bytes),
        None => Inference::NO,
    }
}

/// A command has its name as its first text.
fn array(bytes: &[u8]) -> Inference {
    let name = bytes.split(|byte| *byte == b'\n').nth(2).map(<[u8]>::trim_ascii_end);
    match Scan::default().measure(Side::Client, bytes, usize::MAX >> 16) {
        Measure::Frame { .. } if name.is_some_and(is_command) => Inference::of(Side::Client, 98),
        Measure::Elide { .. } | Measure::More if name.is_some_and(is_command) => Inference::of(Side::Client, 92),
        _ => reply(bytes, 85),
    }
}

fn reply(bytes: &[u8], score: u8) -> Inference {
    match Scan::default().measure(Side::Server, bytes, usize::MAX >> 16) {
        Measure::Frame { length, .. } if length == bytes.len() as u64 => Inference::of(Side::Server, score),
        // Another value follows, or nothing that could.
        Measure::Frame { length, .. } if length < bytes.len() as u64 => {
            let follows = b"*$+-:_#,(~%>!=|".contains(&bytes[length as usize]);
            Inference::of(Side::Server, if follows { score } else { 0 })
        }
        Measure::Frame { .. } | Measure::Elide { .. } => Inference::of(Side::Server, score - 3),
        Measure::More => Inference::of(Side::Server, 30),
        Measure::Invalid => Inference::NO,
    }
}

fn known_error(bytes: &[u8]) -> bool {
    let kinds = [&b"-MOVED "[..], b"-ASK ", b"-WRONGTYPE ", b"-NOAUTH ", b"-NOSCRIPT ", b"-EXECABORT ", b"-LOADING "];
    kinds.iter().any(|kind| bytes.starts_with(kind)) || bytes.starts_with(b"-ERR unknown command")
}

/// Inline commands look like those of other protocols of lines, so that they are only a hint.
fn inline(bytes: &[u8]) -> Inference {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    let http = line.windows(6).any(|part| part == b" HTTP/");
    let ended = line.len() < bytes.len();
    let printable = line.iter().all(|byte| !matches!(byte, 0..9 | 14..32));
    Inference::of(Side::Client, if ended && printable && !http && is_command(name) { 50 } else { 0 })
}

/// Whether a value starts here, in a direction where that is not known.
pub(super) fn starts(side: Side, bytes: &[u8]) -> bool {
    match (side, bytes[0]) {
        (Side::Client, b'*') => {
            let name = bytes.split(|byte| *byte == b'\n').nth(2).map(<[u8]>::trim_ascii_end);
            name.is_some_and(is_command) && array(bytes).side == Some(Side::Client)
        }
        (Side::Client, _) => inline(bytes).score > 0,
        (Side::Server, _) => !matches!(Scan::default().measure(side, bytes, usize::MAX >> 16), Measure::Invalid),
    }
}
