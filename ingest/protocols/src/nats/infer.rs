//! Whether a buffer starts with a command.

use super::frame::{Line, line};
use crate::protocol::{Inference, Side};

/// Scores the beginning of a buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    let command = match line(bytes) {
        Line::Command(command) => command,
        // The server's INFO is long; its beginning is enough.
        Line::More if bytes.starts_with(b"INFO {\"server_id\"") => return Inference::of(Side::Server, 98),
        Line::More => return Inference { score: 10, side: None },
        Line::Invalid => return Inference::NO,
    };
    let end = usize::try_from(command.bytes()).unwrap_or(usize::MAX);
    let framed = end >= 2 && bytes.get(end - 2..end) == Some(b"\r\n");
    match command.name {
        "INFO" => Inference::of(Side::Server, 98),
        "CONNECT" => Inference::of(Side::Client, 98),
        "PUB" | "HPUB" => Inference::of(Side::Client, if framed { 96 } else { 82 }),
        "MSG" | "HMSG" => Inference::of(Side::Server, if framed { 96 } else { 82 }),
        "SUB" | "UNSUB" => Inference::of(Side::Client, 82),
        // Others say these too.
        _ => Inference { score: 40, side: None },
    }
}
