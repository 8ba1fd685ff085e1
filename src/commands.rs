//! One file a command.

pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod detector;
pub(crate) mod doctor;
mod listing;
pub(crate) mod query;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod script;
pub(crate) mod sink;
pub(crate) mod subscribe;
pub(crate) mod table;
pub(crate) mod view;

use crate::failure::{Failure, Outcome};
use crate::format::{Format, write_answer};
use crate::rows::Answer;

/// Writes an answer to stdout. A reader that went away ends the command well.
fn print(answer: &Answer, format: Format) -> Outcome {
    for note in &answer.notes {
        eprintln!("note: {note}");
    }
    let written = write_answer(&mut std::io::stdout().lock(), answer, format);
    written.or_else(|error| Failure::of_output(&error).map_or(Ok(()), Err))
}

/// Writes text to stdout.
fn print_text(text: &str) -> Outcome {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.or_else(|error| Failure::of_output(&error).map_or(Ok(()), Err))
}
