//! Statements without their literals: strings, numbers and UUIDs become `?`. What cannot be told is left out rather
//! than shown.

const UUID_BYTES: usize = 36;

/// The statement with `?` for each literal; `double_quoted` says that double quotes enclose strings, not names.
pub(super) fn without(statement: &[u8], double_quoted: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(statement.len());
    let mut rest = statement;
    let mut in_word = false;
    while let Some(first) = rest.first() {
        if *first == b'"' && !double_quoted {
            let (name, after) = rest.split_at(quoted(rest, b'"'));
            out.extend_from_slice(name);
            (rest, in_word) = (after, false);
            continue;
        }
        let literal = match first {
            b'\'' => quoted(rest, b'\''),
            b'"' if double_quoted => quoted(rest, b'"'),
            b'$' if !in_word => dollar_quoted(rest),
            _ if in_word => 0,
            _ if is_uuid(rest) => UUID_BYTES,
            b'0'..=b'9' => number(rest),
            _ => 0,
        };
        if literal > 0 {
            out.push(b'?');
            rest = &rest[literal..];
            in_word = true;
            continue;
        }
        out.push(*first);
        in_word = first.is_ascii_alphanumeric() || matches!(first, b'_' | b'$' | 0x80..);
        rest = &rest[1..];
    }
    out
}

/// Bytes of a quoted string, to the end of the statement if it is cut.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if *byte == quote && rest.get(at + 1) == Some(&quote) => at += 2,
            _ if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Bytes of a string of PostgreSQL between `$tag$` and `$tag$`; 0 if there is none.
fn dollar_quoted(rest: &[u8]) -> usize {
    let named = rest[1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let tag = &rest[..(named + 2).min(rest.len())];
    if tag.len() < 2 || tag.last() != Some(&b'$') || tag[1].is_ascii_digit() {
        return 0;
    }
    let content = &rest[tag.len()..];
    let end = content.windows(tag.len()).position(|window| window == tag);
    end.map_or(rest.len(), |end| end + 2 * tag.len())
}

fn number(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_')).count()
}

fn is_uuid(rest: &[u8]) -> bool {
    let Some(text) = rest.get(..UUID_BYTES) else { return false };
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}
