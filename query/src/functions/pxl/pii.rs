//! Personal data made unreadable, as far as its shape gives it away.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::rows::map1;
use super::{Entry, S, entry, over};

pub(super) static ENTRIES: &[Entry] = &[entry(
    "redact_pii_best_effort",
    &[over(&[S], S, |a| map1(a, redacted))],
    "A text with addresses (IP, MAC, e-mail), numbers of cards, accounts (IBAN), devices (IMEI) and social security replaced by `<REDACTED_…>`, as far as \
     their shape gives them away.",
)];

/// An expression, what stands in place of its matches, and which matches count.
type Kind<R> = (R, &'static str, fn(&str) -> bool);

/// What is looked for, in this order: a later one does not see what an earlier one took.
static KINDS: LazyLock<Vec<Kind<Regex>>> = LazyLock::new(|| {
    let always: fn(&str) -> bool = |_| true;
    let kinds: [Kind<&str>; 8] = [
        (r"(?i)[a-z0-9._%+*-]+(?:@|%40)[a-z0-9-]+(?:\.[a-z0-9-]+)*", "<REDACTED_EMAIL>", always),
        (r"(?i)\b[a-z]{2} ?[0-9]{2}(?:[ -]?[a-z0-9]{4}){2,7}(?:[ -]?[a-z0-9]{1,3})?\b", "<REDACTED_IBAN>", is_iban),
        (r"(?i)\b[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?:-[0-9a-f]{2}){5})\b", "<REDACTED_MAC_ADDR>", always),
        (r"(?i)(?:\b[0-9a-f]{1,4}|\B):[0-9a-f:]*:[0-9a-f:.]*", "<REDACTED_IPV6>", is_ipv6),
        (r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b", "<REDACTED_IPV4>", is_ipv4),
        (r"\b[0-9]{2}-[0-9]{6}-[0-9]{6}-[0-9]{1,2}\b", "<REDACTED_IMEI>", always),
        (r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", "<REDACTED_SSN>", is_social_security_number),
        (r"\b[0-9](?:[ -]?[0-9]){12,18}\b", "<REDACTED_CC_NUMBER>", has_check_digit),
    ];
    let compiled = kinds.into_iter().map(|(regex, tag, is)| (Regex::new(regex).ok(), tag, is));
    compiled.filter_map(|(regex, tag, is)| Some((regex?, tag, is))).collect()
});

fn redacted(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for (regex, tag, is) in KINDS.iter() {
        let replace = |found: &Captures<'_>| if is(&found[0]) { (*tag).to_owned() } else { found[0].to_owned() };
        if let Cow::Owned(replaced) = regex.replace_all(&text, replace) {
            text = Cow::Owned(replaced);
        }
    }
    text.into_owned()
}

fn is_ipv4(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

fn is_ipv6(text: &str) -> bool {
    text.len() > 2 && text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Area 000, 666 and from 900 on, group 00 and serial 0000 are given to nobody.
fn is_social_security_number(text: &str) -> bool {
    let [area, group, serial] = text.split('-').collect::<Vec<_>>()[..] else { return false };
    !matches!(area, "000" | "666") && !area.starts_with('9') && group != "00" && serial != "0000"
}

/// Luhn's check digit.
fn has_check_digit(text: &str) -> bool {
    let digits = text.chars().rev().filter_map(|digit| digit.to_digit(10));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => digit,
            (_, double) => double / 10 + double % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064: the text with its first four characters last, letters as 10 to 35, is 1 modulo 97.
fn is_iban(text: &str) -> bool {
    let characters: Vec<char> = text.chars().filter(|character| !matches!(character, ' ' | '-')).collect();
    let Some((first, rest)) = characters.split_at_checked(4) else { return false };
    let rotated = rest.iter().chain(first);
    let remainder = rotated.filter_map(|character| character.to_digit(36)).fold(0, |remainder, digit| match digit {
        0..=9 => (remainder * 10 + digit) % 97,
        _ => (remainder * 100 + digit) % 97,
    });
    remainder == 1
}

#[cfg(test)]
mod tests;
