//! How much a buffer looks like the start of an HTTP/1 message: a score over any buffer, from either side.

/// Which side sends such messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request line.
    Request,
    /// A status line.
    Response,
}

/// What a buffer's beginning looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inference {
    /// Request or response.
    pub kind: Kind,
    /// 0 (certainly not) to 100 (certainly).
    pub score: u8,
}

/// From here on a buffer is taken for the start of a message.
pub(super) const LIKELY: u8 = 80;
/// So much is asked of a start after something was not seen: the method may have lost its first letters.
pub(super) const CERTAIN: u8 = 95;

/// Request lines are searched this far for their version.
const LINE_MAX: usize = 8 << 10;
const METHOD_MAX: usize = 24;

const METHODS: [&[u8]; 17] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"REPORT",
    b"SEARCH",
];

/// Scores the beginning of a buffer. A buffer that ends before it can be told has a score below [`LIKELY`] but above
/// zero.
#[must_use]
pub fn infer(bytes: &[u8]) -> Inference {
    if bytes.first() == Some(&b'H') && b"HTTP/1.".iter().zip(bytes).all(|(expected, found)| expected == found) {
        return Inference { kind: Kind::Response, score: status_line(bytes) };
    }
    Inference { kind: Kind::Request, score: request_line(bytes) }
}

fn status_line(bytes: &[u8]) -> u8 {
    let Some(rest) = bytes.get(b"HTTP/1.".len()..) else { return 40 };
    match rest {
        [] => 40,
        [b'0' | b'1', b' ', status @ ..] => {
            let digits = status.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
            match (digits, status.get(3)) {
                (3, Some(b' ' | b'\r' | b'\n')) if (b'1'..=b'9').contains(&status[0]) => 100,
                (3, None) => 90,
                (found, None) if found == status.len() => 60,
                _ => 0,
            }
        }
        [b'0' | b'1'] => 50,
        _ => 0,
    }
}

fn request_line(bytes: &[u8]) -> u8 {
    let window = &bytes[..bytes.len().min(METHOD_MAX)];
    let Some(space) = window.iter().position(|byte| *byte == b' ') else {
        let token = !window.is_empty() && window.len() < METHOD_MAX && window.iter().copied().all(is_token);
        return if token { 10 } else { 0 };
    };
    let (method, target) = (&bytes[..space], &bytes[space + 1..]);
    if method.is_empty() || !method.iter().copied().all(is_token) {
        return 0;
    }
    let method_score = match () {
        () if METHODS.contains(&method) => 40,
        () if method.iter().all(u8::is_ascii_uppercase) => 20,
        () => 10,
    };
    let target_score = match target.first() {
        None => return method_score,
        Some(b'/' | b'*') => 25,
        Some(byte) if byte.is_ascii_alphanumeric() || *byte == b'[' => 10,
        Some(_) => return 0,
    };
    let line = &target[..target.len().min(LINE_MAX)];
    let Some(end) = line.iter().position(|byte| *byte == b'\n' || *byte < b' ' && *byte != b'\r') else {
        return method_score + target_score;
    };
    let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
    if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") {
        return (method_score + target_score + 45).min(100);
    }
    0
}

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_score_high_and_other_protocols_low() {
        let likely = |bytes: &[u8]| infer(bytes).score >= LIKELY;
        for start in [
            "GET / HTTP/1.1\r\n",
            "PROPFIND /dav HTTP/1.1\r\n",
            "CONNECT a:1 HTTP/1.0\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.0 404\r\n",
            "M-SEARCH * HTTP/1.1\r\n",
        ] {
            assert!(likely(start.as_bytes()), "{start:?}");
        }
        for other in [
            "*1\r\n$4\r\nPING\r\n",
            "220 mail ESMTP\r\n",
            "EHLO example.org\r\n",
            "\x16\x03\x01\x02\x00\x01\x00",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "SELECT * FROM t\n",
            "HTTP/2 200\r\n",
            "HTTP/1.1 2x0 OK\r\n",
            "",
        ] {
            assert!(!likely(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn a_beginning_is_neither_yes_nor_no() {
        for start in ["G", "GE", "GET", "GET ", "GET /a", "H", "HTTP/1.", "HTTP/1.1 2"] {
            assert!((1..LIKELY).contains(&infer(start.as_bytes()).score), "{start:?}");
        }
    }
}
