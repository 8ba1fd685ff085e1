//! Expressions compiled once a thread: a script has few of them, and batches are small.

use std::cell::RefCell;
use std::rc::Rc;

use regex::{Regex, RegexBuilder};

/// Expressions that a thread keeps.
const KEPT_MAX: usize = 32;
/// Bytes of an expression that is compiled.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// An expression, compiled.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Matches whole texts.
    pub(super) whole: Regex,
    /// Matches parts of texts.
    pub(super) part: Regex,
}

type Compiled = Result<Rc<Pattern>, String>;

thread_local! {
    static KEPT: RefCell<Vec<(String, Compiled)>> = const { RefCell::new(Vec::new()) };
}

/// The expression compiled, or what is wrong with it.
pub(super) fn pattern(text: &str) -> Compiled {
    KEPT.with_borrow_mut(|kept| {
        if let Some(at) = kept.iter().position(|(known, _)| known == text) {
            // The last used are at the end, so the first is the one to forget.
            kept[at..].rotate_left(1);
        } else {
            if kept.len() == KEPT_MAX {
                drop(kept.remove(0));
            }
            kept.push((text.to_owned(), compile(text).map(Rc::new)));
        }
        kept.last().map_or_else(|| Err("no expression".into()), |(_, compiled)| compiled.clone())
    })
}

fn compile(text: &str) -> Result<Pattern, String> {
    let build = |text: &str| {
        let mut builder = RegexBuilder::new(text);
        builder.dot_matches_new_line(true).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX);
        builder.build().map_err(|error| reason(&error))
    };
    // Compiled alone first, or `a)(b` would pass; the line break ends a comment of the verbose mode.
    let part = build(text)?;
    let whole = build(&format!(r"\A(?:{text})\z")).or_else(|_| build(&format!("\\A(?:{text}\n)\\z")))?;
    Ok(Pattern { whole, part })
}

/// The last line, which says it; those before draw the expression.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
