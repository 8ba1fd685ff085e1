//! What the TOML reader says, as one line that helps.

use super::ManifestError;

pub(super) fn one_line(text: &str, origin: &str, error: &toml::de::Error) -> ManifestError {
    let message = error.message();
    let message = message.lines().next().unwrap_or_default();
    let message = unknown_key(message).unwrap_or_else(|| message.to_owned());
    let Some(span) = error.span() else { return ManifestError(format!("{origin}: {message}")) };
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
    ManifestError(format!("{origin}:{line}:{column}: {message}"))
}

/// "unknown field `a`, expected one of `b`, `c`" names the key that was meant.
fn unknown_key(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let name = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    let likeness = |known: &&&str| strsim::jaro_winkler(name, known);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    if likeness(&nearest) > 0.75 {
        return Some(format!("unknown key `{name}`; did you mean `{nearest}`?"));
    }
    Some(format!("unknown key `{name}`; known are {}", known.join(", ")))
}
