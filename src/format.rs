//! How results are written: the formats of `-o` and what each makes of values, answers and subscription events.

mod csv;
pub(crate) mod json;
pub(crate) mod table;

use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;

use crate::rows::{Answer, encode};

/// `-o`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people: times as RFC 3339, durations and sizes with units.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
    /// Arrow IPC streams, one a table.
    Arrow,
}

impl Format {
    /// The format asked for, else `table` on a terminal and `jsonl` otherwise.
    pub(crate) fn or_default(asked: Option<Format>) -> Format {
        asked.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Jsonl })
    }
}

/// Writes a query's answer.
pub(crate) fn write_answer(output: &mut dyn Write, answer: &Answer, format: Format) -> io::Result<()> {
    match format {
        Format::Table => output.write_all(table::of_answer(answer, table::width_of_stdout()).as_bytes()),
        Format::Json => output.write_all(json::of_answer(answer).as_bytes()),
        Format::Jsonl => output.write_all(json::lines_of_answer(answer).as_bytes()),
        Format::Csv => output.write_all(csv::of_answer(answer).as_bytes()),
        Format::Arrow => {
            for table in &answer.tables {
                output.write_all(&encode(&table.arrow, &table.batches).map_err(io::Error::other)?)?;
            }
            Ok(())
        }
    }?;
    output.flush()
}

pub(crate) use csv::{changes as csv_changes, header as csv_header};

#[cfg(test)]
mod tests;
