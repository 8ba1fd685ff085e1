//! Whether a buffer is a packet, and whose: a length that fits alone says little, so that content has to fit too.

use super::compression::recognise;
use super::frame::{self, HEADER_BYTES, header, is_command};
use crate::protocol::{Inference, Side};

const VERBS: &str = "select insert update delete replace set show begin start commit rollback create drop alter use call \
    with explain describe desc truncate lock unlock prepare execute deallocate load grant revoke flush analyze optimize \
    kill savepoint release do handler rename values change stop reset optimize check xa ";

/// Scores any buffer.
pub(super) fn infer(bytes: &[u8]) -> Inference {
    if recognise(bytes).is_some() {
        // The compressed protocol: packets that fit a frame exactly are hardly chance.
        return Inference::of(if bytes[3] == 0 { Side::Client } else { Side::Server }, 98);
    }
    let (client, server) = (client(bytes), server(bytes));
    if client >= server { Inference::of(Side::Client, client) } else { Inference::of(Side::Server, server) }
}

/// Scores a buffer as what a client sends.
pub(super) fn client(bytes: &[u8]) -> u8 {
    let Some((length, sequence)) = header(bytes) else { return u8::from(!bytes.is_empty()) };
    let payload = &bytes[HEADER_BYTES..];
    let whole = payload.len() == length;
    if sequence == 1 {
        let zeros = payload.get(9..28).is_some_and(|filler| filler.iter().all(|byte| *byte == 0));
        let newer = payload.get(1).is_some_and(|flags| flags & 2 != 0);
        return if zeros && newer && whole && length >= 32 { 96 } else { 0 };
    }
    if sequence != 0 || length == 0 || payload.is_empty() {
        return u8::from(payload.is_empty() && sequence == 0);
    }
    if !is_command(payload) || payload.len() > length {
        return 0;
    }
    match payload[0] {
        frame::QUERY | frame::STMT_PREPARE if is_sql(&payload[1..]) => {
            if whole {
                98
            } else {
                90
            }
        }
        frame::QUERY if whole => 60,
        frame::STMT_EXECUTE if payload.get(6..10) == Some(&[1, 0, 0, 0]) && length >= 10 => {
            if whole {
                93
            } else {
                82
            }
        }
        frame::STMT_CLOSE if length == 5 && whole => 80,
        frame::QUIT | 9 | 14 | 31 if length == 1 && whole => 60,
        frame::INIT_DB if whole && payload[1..].iter().all(|byte| *byte > 32) => 70,
        _ if whole => 40,
        _ => 10,
    }
}

/// Scores a buffer as what a server sends: packets with numbers that follow each other.
pub(super) fn server(bytes: &[u8]) -> u8 {
    let Some((length, first)) = header(bytes) else { return u8::from(!bytes.is_empty()) };
    if first == 0 {
        let version = bytes.get(5..).unwrap_or_default();
        let printable = version.iter().take_while(|byte| **byte != 0).all(|byte| (32..127).contains(byte));
        let greeting = bytes.get(4) == Some(&10) && printable && length > 40 && length + HEADER_BYTES == bytes.len();
        return if greeting && version.len() > 8 && version[0].is_ascii_digit() { 98 } else { 0 };
    }
    let (mut rest, mut sequence, mut packets) = (bytes, first, 0_u32);
    let mut sure = false;
    while let Some((length, found)) = header(rest) {
        if found != sequence || length == 0 {
            return 0;
        }
        let Some((packet, next)) = rest.split_at_checked(HEADER_BYTES + length) else { break };
        let payload = &packet[HEADER_BYTES..];
        sure |= payload.starts_with(b"\x03def") || payload[0] == 0xff && payload.get(3) == Some(&b'#');
        packets += 1;
        sequence = sequence.wrapping_add(1);
        rest = next;
    }
    let payload = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let ok = packets == 1
        && (matches!(payload, [0, _, _, _, 0, ..]) && length >= 7 || payload.len() == 5 && payload[0] == 0xfe);
    match (rest.is_empty(), packets) {
        (_, 1..) if sure => 96,
        (true, 3..) => 92,
        (true, 1) if ok => 85,
        (true, _) => 50,
        (false, 2..) => 70,
        (false, _) => 5,
    }
}

fn is_sql(text: &[u8]) -> bool {
    // MySQL 8 puts attributes of a query before it.
    let text = text.strip_prefix(&[0, 1]).unwrap_or(text).trim_ascii_start();
    let word: Vec<u8> =
        text.iter().take(12).take_while(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect();
    let known = VERBS.split(' ').any(|verb| !verb.is_empty() && verb.as_bytes() == word);
    known || text.starts_with(b"/*") || text.starts_with(b"(select") || text.starts_with(b"--")
}

/// Whether a payload is a client's answer to the greeting.
pub(super) fn is_login(payload: &[u8]) -> bool {
    payload.get(9..28).is_some_and(|filler| filler.iter().all(|byte| *byte == 0)) && payload[1] & 2 != 0
}
