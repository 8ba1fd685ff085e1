//! JSON text, written as it goes: bytes that are no UTF-8 become replacement characters.

/// Appends a number.
pub fn int(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a quoted string.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    content(out, bytes);
    out.push(b'"');
}

/// Appends the inside of a quoted string.
pub fn content(out: &mut Vec<u8>, bytes: &[u8]) {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    // Without a way out of the loop it looks at many bytes at once.
    if bytes.iter().fold(true, |all, byte| all & plain(*byte)) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..0x20 | 0x7f => out.extend_from_slice(&[
                    b'\\',
                    b'u',
                    b'0',
                    b'0',
                    HEX[usize::from(byte >> 4)],
                    HEX[usize::from(byte & 15)],
                ]),
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends bytes as hexadecimal digits, without quotes.
pub fn hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// Appends a UUID, without quotes.
pub fn uuid(out: &mut Vec<u8>, bytes: &[u8; 16]) {
    for (index, part) in [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]].iter().enumerate() {
        if index > 0 {
            out.push(b'-');
        }
        hex(out, part);
    }
}

/// An object in the making; [`Object::end`] closes it.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Object { out, first: true }
    }

    /// Begins a member; its value is to be appended to what is returned.
    pub fn key(&mut self, name: &str) -> &mut Vec<u8> {
        self.key_of(name.as_bytes())
    }

    /// Begins a member whose name comes from data.
    pub fn key_of(&mut self, name: &[u8]) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        string(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// A number.
    pub fn int(&mut self, name: &str, value: i64) -> &mut Self {
        int(self.key(name), value);
        self
    }

    /// A string.
    pub fn text(&mut self, name: &str, value: &[u8]) -> &mut Self {
        string(self.key(name), value);
        self
    }

    /// True or false.
    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.key(name).extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// An array of whatever `item` appends for each element.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        item: impl FnMut(&mut Vec<u8>, T),
    ) -> &mut Self {
        list(self.key(name), items, item);
        self
    }

    /// Closes it.
    pub fn end(&mut self) {
        self.out.push(b'}');
    }
}

/// Appends an array of whatever `item` appends for each element.
pub fn list<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut item: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (index, element) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item(out, element);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_numbers_written_in_full() {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.text("a\"b", b"x\\\n\x01\xffy\xc3\xa9").int("n", i64::MIN).flag("f", true);
        object.list("l", [1, -2], int).end();
        let expected =
            "{\"a\\\"b\":\"x\\\\\\n\\u0001\u{fffd}y\u{e9}\",\"n\":-9223372036854775808,\"f\":true,\"l\":[1,-2]}";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
