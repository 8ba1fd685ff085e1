//! URIs as RFC 3986 has them: taken apart without any normalization, and put together again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::Int64Type;
use datafusion::error::Result;

use super::json::Json;
use super::rows::map1;
use super::{Entry, I, S, entry, over};

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "uri_parse",
        &[over(&[S], S, |a| map1(a, parsed))],
        "JSON of a URI's scheme, userInfo, host, port, path (without the slash after the host), query and fragment, as \
         far as it has them.",
    ),
    entry(
        "uri_recompose",
        &[over(&[S, S, S, I, S, S, S], S, recompose)],
        "A URI of scheme, user, host, port (none where it is 0), path, query and fragment; an error as text where the \
         port is impossible.",
    ),
];

/// What is said of a text that is no URI.
const NO_URI: &str = "Failed to parse URI";
/// What is said of parts that make no URI.
const NO_PARTS: &str = "Failed to recompose URI";

#[derive(Debug, Default, PartialEq, Eq)]
struct Uri<'a> {
    scheme: &'a str,
    user: &'a str,
    host: &'a str,
    port: i64,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

fn parsed(text: &str) -> String {
    let Some(uri) = parse(text) else { return NO_URI.into() };
    let path = if uri.host.is_empty() { uri.path } else { uri.path.trim_start_matches('/') };
    let text = |key: &str, text: &str| (!text.is_empty()).then(|| (key.to_owned(), Json::Text(text.to_owned())));
    let members = [
        text("scheme", uri.scheme),
        text("userInfo", uri.user),
        text("host", uri.host),
        (uri.port > 0).then(|| ("port".to_owned(), Json::Number(uri.port.into()))),
        text("path", path),
        text("query", uri.query),
        text("fragment", uri.fragment),
    ];
    Json::Object(members.into_iter().flatten().collect()).to_string()
}

fn parse(text: &str) -> Option<Uri<'_>> {
    if !is_allowed(text) {
        return None;
    }
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        // A colon in the first segment of a relative path is not allowed.
        Some((first, _)) if !first.contains('/') => return None,
        _ => ("", rest),
    };
    let uri = Uri { scheme, query, fragment, ..Uri::default() };
    let Some(rest) = rest.strip_prefix("//") else { return Some(Uri { path: rest, ..uri }) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = host_and_port(place)?;
    Some(Uri { user, host, port, path, ..uri })
}

fn host_and_port(place: &str) -> Option<(&str, i64)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (host, if after.is_empty() { "" } else { after.strip_prefix(':')? })
        }
        None => place.split_once(':').unwrap_or((place, "")),
    };
    let number = if port.is_empty() { 0 } else { i64::from(port.parse::<u16>().ok()?) };
    Some((host, number))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
}

/// Only ASCII that a URI may have, and `%` only before two digits.
fn is_allowed(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
    })
}

fn recompose(arrays: &[ArrayRef]) -> Result<ArrayRef> {
    let count = arrays.first().map_or(0, |array| array.len());
    let text = |at: usize, row: usize| arrays[at].as_string::<i32>().value(row);
    let uris = (0..count).map(|row| {
        arrays.iter().all(|array| array.is_valid(row)).then(|| {
            composed(&Uri {
                scheme: text(0, row),
                user: text(1, row),
                host: text(2, row),
                port: arrays[3].as_primitive::<Int64Type>().value(row),
                path: text(4, row),
                query: text(5, row),
                fragment: text(6, row),
            })
        })
    });
    Ok(Arc::new(uris.collect::<StringArray>()))
}

fn composed(uri: &Uri<'_>) -> String {
    if !(0..=i64::from(u16::MAX)).contains(&uri.port) {
        return NO_PARTS.into();
    }
    let mut text = String::new();
    let mut put = |before: &str, part: &str, after: &str| {
        if !part.is_empty() {
            text.extend([before, part, after]);
        }
    };
    put("", uri.scheme, ":");
    if !uri.host.is_empty() || !uri.user.is_empty() {
        put("", "//", "");
    }
    put("", uri.user, "@");
    let brackets = if uri.host.contains(':') { ("[", "]") } else { ("", "") };
    put(brackets.0, uri.host, brackets.1);
    if uri.port > 0 && !uri.host.is_empty() {
        put(":", &uri.port.to_string(), "");
    }
    let has_more = !uri.path.is_empty() || !uri.query.is_empty() || !uri.fragment.is_empty();
    if !uri.host.is_empty() && has_more && !uri.path.starts_with('/') {
        put("", "/", "");
    }
    put("", uri.path, "");
    put("?", uri.query, "");
    put("#", uri.fragment, "");
    text
}

#[cfg(test)]
mod tests;
