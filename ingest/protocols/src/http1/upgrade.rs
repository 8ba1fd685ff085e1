//! What a connection goes on as after `101 Switching Protocols`.

use crate::http1::head::Head;

/// A connection that goes on as WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// Target of the request, empty if it was not seen.
    pub target: Vec<u8>,
}

/// Whether the header `Upgrade` of a response says WebSocket.
pub(super) fn is_websocket(head: &Head, bytes: &[u8]) -> bool {
    let lines = bytes.get(head.headers.clone()).unwrap_or_default().split(|byte| *byte == b'\n');
    lines.filter_map(|line| line.split_at_checked(line.iter().position(|byte| *byte == b':')?)).any(|(name, value)| {
        name.trim_ascii().eq_ignore_ascii_case(b"upgrade") && value[1..].trim_ascii().eq_ignore_ascii_case(b"websocket")
    })
}
