//! Texts. Positions and lengths are in bytes, as PxL has them; what would cut a character is made whole by `U+FFFD`.

use super::rows::{map1, map2, map3};
use super::{B, Entry, I, S, entry, over};

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "contains",
        &[over(&[S, S], B, |a| map2(a, |text: &str, part: &str| text.contains(part)))],
        "Whether the second text is in the first.",
    ),
    entry("length", &[over(&[S], I, |a| map1(a, |text: &str| text.len() as i64))], "Bytes of a text."),
    entry(
        "find",
        &[over(&[S, S], I, |a| map2(a, |text: &str, part: &str| text.find(part).map_or(-1, |at| at as i64)))],
        "Byte at which the second text is in the first; -1 where it is not.",
    ),
    entry(
        "substring",
        &[over(&[S, I, I], S, |a| map3(a, substring))],
        "At most so many bytes (third) of a text from a byte (second) on; empty where one of them is impossible.",
    ),
    entry("tolower", &[over(&[S], S, |a| map1(a, str::to_ascii_lowercase))], "ASCII letters made small."),
    entry("toupper", &[over(&[S], S, |a| map1(a, str::to_ascii_uppercase))], "ASCII letters made large."),
    entry("trim", &[over(&[S], S, |a| map1(a, trim))], "A text without white space around it."),
    entry(
        "strip_prefix",
        &[over(&[S, S], S, |a| map2(a, |prefix: &str, text: &str| strip_prefix(prefix, text).to_owned()))],
        "The second text without the first at its start.",
    ),
    entry(
        "hex_to_ascii",
        &[over(&[S], S, |a| map1(a, hex_to_ascii))],
        "The text that hexadecimal digits encode; empty where they are none.",
    ),
    entry(
        "bytes_to_hex",
        &[over(&[S], S, |a| map1(a, bytes_to_hex))],
        "A text with every byte as `\\x` and two digits.",
    ),
    entry(
        "atoi",
        &[over(&[S, I], I, |a| map2(a, |text: &str, default: i64| text.trim().parse().unwrap_or(default)))],
        "The integer that a text is; the second argument where it is none.",
    ),
    entry("itoa", &[over(&[I], S, |a| map1(a, |number: i64| number.to_string()))], "An integer as text."),
];

fn substring(text: &str, position: i64, length: i64) -> String {
    let (Ok(start), Ok(length)) = (usize::try_from(position), usize::try_from(length)) else { return String::new() };
    let end = start.saturating_add(length).min(text.len());
    text.as_bytes().get(start..end).map(|part| String::from_utf8_lossy(part).into_owned()).unwrap_or_default()
}

fn trim(text: &str) -> String {
    text.trim().to_owned()
}

fn strip_prefix<'a>(prefix: &str, text: &'a str) -> &'a str {
    text.strip_prefix(prefix).unwrap_or(text)
}

fn hex_to_ascii(text: &str) -> String {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let Some(digits) = digits.filter(|digits| digits.len() % 2 == 0) else { return String::new() };
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn bytes_to_hex(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02X}")).collect()
}

#[cfg(test)]
mod tests;
