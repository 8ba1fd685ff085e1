//! `--arg k=v`: puts values where a script's text says `$k`, outside of strings, quoted names and comments.

use std::collections::{BTreeMap, BTreeSet};

/// The text with every parameter replaced by a literal. An argument without a parameter, and a parameter without an
/// argument, are errors.
pub(crate) fn fill(text: &str, arguments: &BTreeMap<String, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut used = BTreeSet::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match opaque(rest) {
            Some(length) => length,
            None if first == '$' => {
                let name = &rest[1..1 + name_length(&rest[1..])];
                if let Some(value) = arguments.get(name) {
                    used.insert(name);
                    filled.push_str(&literal(value));
                    rest = &rest[1 + name.len()..];
                    continue;
                }
                if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(format!("parameter `${name}` has no value; give one with --arg {name}=VALUE"));
                }
                1
            }
            None => first.len_utf8(),
        };
        filled.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    match arguments.keys().find(|name| !used.contains(name.as_str())) {
        Some(unknown) => Err(format!("unknown argument `{unknown}`: the script has no parameter `${unknown}`")),
        None => Ok(filled),
    }
}

/// Length of the string, quoted name or comment that the text begins with.
fn opaque(text: &str) -> Option<usize> {
    let until = |start: usize, end: &str| {
        let found = text[start..].find(end).map(|at| start + at + end.len());
        Some(found.unwrap_or(text.len()))
    };
    match text.as_bytes() {
        [b'\'', ..] => until(1, "'"),
        [b'"', ..] => until(1, "\""),
        [b'-', b'-', ..] => until(2, "\n"),
        [b'/', b'*', ..] => until(2, "*/"),
        _ => None,
    }
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn literal(value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok_and(f64::is_finite);
    let is_word = matches!(value, "true" | "false");
    if is_number || is_word { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, arguments: &[(&str, &str)]) -> Result<String, String> {
        fill(text, &arguments.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn parameters_become_literals() {
        let text = "SELECT $a, '$a', \"$a\" -- $a\n/* $b */ FROM t WHERE x = $b";
        assert_eq!(
            filled(text, &[("a", "1.5"), ("b", "it's")]).as_deref(),
            Ok("SELECT 1.5, '$a', \"$a\" -- $a\n/* $b */ FROM t WHERE x = 'it''s'")
        );
    }

    #[test]
    fn arguments_and_parameters_must_agree() {
        assert!(filled("SELECT 1", &[("a", "1")]).is_err_and(|error| error.contains("unknown argument `a`")));
        assert!(filled("SELECT $a", &[]).is_err_and(|error| error.contains("--arg a=VALUE")));
        assert_eq!(filled("SELECT 'x''$y'", &[]).as_deref(), Ok("SELECT 'x''$y'"));
    }
}
