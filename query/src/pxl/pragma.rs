//! `#px:set flag=value` lines.

use super::fault::{Fault, nearest};

/// What a script sets for its own execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pragmas {
    pub(super) explain: bool,
    pub(super) rows_max: usize,
}

const FLAGS: [&str; 3] = ["explain", "analyze", "max_output_rows_per_table"];
const MARK: &str = "#px:set";

/// The flags of a script; those not set have their defaults.
pub(super) fn pragmas(text: &str, faults: &mut Vec<Fault>) -> Pragmas {
    let mut pragmas = Pragmas { explain: false, rows_max: 10_000 };
    let mut at = 0;
    for line in text.split('\n') {
        if let Some(setting) = line.trim_start().strip_prefix(MARK) {
            for word in setting.split_whitespace() {
                if let Err(message) = set(&mut pragmas, word) {
                    faults.push(Fault::new(at + line.find(word).unwrap_or_default(), message));
                }
            }
        }
        at += line.len() + 1;
    }
    pragmas
}

fn set(pragmas: &mut Pragmas, word: &str) -> Result<(), String> {
    let (flag, value) = word.split_once('=').ok_or_else(|| format!("write it like `{MARK} flag=value`"))?;
    let truth = || match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{flag} is true or false")),
    };
    match flag {
        "explain" | "analyze" => pragmas.explain |= truth()?,
        "max_output_rows_per_table" => {
            pragmas.rows_max = value.parse().map_err(|_| format!("{flag} is a number of rows"))?;
        }
        _ => return Err(format!("there is no flag `{flag}`{}; there are {}", nearest(flag, FLAGS), FLAGS.join(", "))),
    }
    Ok(())
}
