//! Regular expressions, which match a whole text and for which `.` is any character. What is no expression matches
//! nothing.

mod compiled;

use std::rc::Rc;

use super::json::Json;
use super::rows::{map2, map3};
use super::{B, Entry, S, entry, over};
use compiled::{Pattern, pattern};

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "regex_match",
        &[over(&[S, S], B, |a| map2(a, |regex: &str, text: &str| matches(regex, text)))],
        "Whether a regular expression matches the whole of the second argument; never where it is no expression.",
    ),
    entry(
        "replace",
        &[over(&[S, S, S], S, |a| map3(a, replace))],
        "The second argument with each match of a regular expression replaced by the third (`\\1` is the first group); \
         an error as text where one of them is no expression.",
    ),
    entry(
        "_match_regex_rule",
        &[over(&[S, S], S, |a| map2(a, matching_rule))],
        "The first name in a JSON object of names and regular expressions whose expression matches the whole value.",
    ),
];

/// Bytes that a replacement makes at most; beyond them the rest of the text stays as it is.
const REPLACED_BYTES_MAX: usize = 1 << 24;

fn matches(regex: &str, text: &str) -> bool {
    pattern(regex).is_ok_and(|pattern| pattern.whole.is_match(text))
}

fn replace(regex: &str, text: &str, substitute: &str) -> String {
    let pattern: Rc<Pattern> = match pattern(regex) {
        Ok(pattern) => pattern,
        Err(error) => return format!("Invalid regex expr: {error}"),
    };
    let pieces = match pieces_of(substitute, pattern.part.captures_len()) {
        Ok(pieces) => pieces,
        Err(error) => return format!("Invalid regex in substitution string: {error}"),
    };
    let mut made = String::with_capacity(text.len());
    let mut done = 0;
    for found in pattern.part.captures_iter(text) {
        let Some(whole) = found.get(0).filter(|_| made.len() < REPLACED_BYTES_MAX) else { break };
        made.push_str(&text[done..whole.start()]);
        for piece in &pieces {
            made.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Group(group) => found.get(*group).map_or("", |group| group.as_str()),
            });
        }
        done = whole.end();
    }
    made.push_str(&text[done..]);
    made
}

enum Piece<'a> {
    Text(&'a str),
    Group(usize),
}

/// A substitute cut at its `\1`; an error where a backslash is before neither a group of the expression nor another.
fn pieces_of(substitute: &str, groups: usize) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = substitute;
    while let Some((before, after)) = rest.split_once('\\') {
        pieces.push(Piece::Text(before));
        let mut characters = after.chars();
        match characters.next() {
            Some('\\') => pieces.push(Piece::Text("\\")),
            Some(digit) if digit.is_ascii_digit() => {
                let group = digit as usize - '0' as usize;
                if group >= groups {
                    return Err(format!("there is no group \\{group}"));
                }
                pieces.push(Piece::Group(group));
            }
            Some(_) | None => return Err(r"Rewrite schema error: '\' must be followed by a digit or '\'.".into()),
        }
        rest = characters.as_str();
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

fn matching_rule(rules: &str, value: &str) -> String {
    let Ok(Json::Object(rules)) = serde_json::from_str(rules) else { return String::new() };
    let matching = rules.into_iter().find(|(_, regex)| matches!(regex, Json::Text(regex) if matches(regex, value)));
    matching.map(|(name, _)| name).unwrap_or_default()
}

#[cfg(test)]
mod tests;
