//! A mistake at a place in a script's text, and how it is shown: line, column, the line itself, the nearest name.

use crate::script::ScriptError;

/// Most mistakes that are reported of one script.
pub(super) const FAULTS_MAX: usize = 100;
/// Longest part of a source line that is shown.
const SHOWN_MAX: usize = 160;

/// What is wrong and where, as a byte offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Fault { at, message: message.into() }
    }
}

/// The mistakes as users see them, in the order of the text.
pub(super) fn locate(mut faults: Vec<Fault>, text: &str, origin: &str) -> Vec<ScriptError> {
    faults.sort_by_key(|fault| fault.at);
    faults.dedup();
    faults.truncate(FAULTS_MAX);
    faults.iter().map(|fault| located(fault, text, origin)).collect()
}

fn located(fault: &Fault, text: &str, origin: &str) -> ScriptError {
    let mut at = fault.at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = before.matches('\n').count() + 1;
    let column = text[start..at].chars().count() + 1;
    let shown: String = text[start..].lines().next().unwrap_or_default().chars().take(SHOWN_MAX).collect();
    let message = if shown.trim().is_empty() || column > SHOWN_MAX {
        fault.message.clone()
    } else {
        format!("{}\n  {}\n  {}^", fault.message, shown.replace('\t', " "), " ".repeat(column - 1))
    };
    ScriptError { origin: origin.into(), line: line as u64, column: column as u64, message }
}

/// `; did you mean NAME?` for the known name that is nearest, if one is near.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|(a, left), (b, right)| a.total_cmp(b).then_with(|| right.cmp(left)));
    near.map_or_else(String::new, |(_, candidate)| format!("; did you mean `{candidate}`?"))
}
