//! Comma-separated values (RFC 4180): the same values as JSON, unquoted where they need no quotes.

use std::fmt::Write as _;

use arrow::array::RecordBatch;

use crate::rows::{Answer, Changes, Column};
use watershed_model::cells::{Cell, Cells, hexadecimal};

/// Header and rows; an empty line and `_table` lines part tables where there are several.
pub(super) fn of_answer(answer: &Answer) -> String {
    let mut text = String::new();
    for (position, table) in answer.tables.iter().enumerate() {
        if answer.tables.len() > 1 {
            if position > 0 {
                text.push('\n');
            }
            writeln!(text, "# {}", table.schema.name).expect("text grows");
        }
        text.push_str(&header(&[], &table.schema.columns));
        for batch in &table.batches {
            rows(&mut text, batch, |_, _| ());
        }
    }
    text
}

/// The header line of some columns, after `extra` ones.
pub(crate) fn header(extra: &[&str], columns: &[Column]) -> String {
    let names: Vec<_> = extra.iter().copied().chain(columns.iter().map(|column| column.name.as_str())).collect();
    let mut text = String::new();
    for (position, name) in names.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        field(&mut text, name);
    }
    text.push('\n');
    text
}

/// Rows of a subscription: what kind of line, table, time and diff stand before the columns.
pub(crate) fn changes(changes: &Changes) -> String {
    let mut text = String::new();
    let kind = if changes.snapshot { "snapshot" } else { "change" };
    rows(&mut text, &changes.rows, |text, row| {
        write!(text, "{kind},{},{},{},", changes.table, changes.time, changes.diffs[row]).expect("text grows");
    });
    text
}

fn rows(text: &mut String, batch: &RecordBatch, before: impl Fn(&mut String, usize)) {
    let columns: Vec<_> = batch.columns().iter().map(Cells::of).collect();
    for row in 0..batch.num_rows() {
        before(text, row);
        for (position, cells) in columns.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            match cells.at(row) {
                Cell::Null => (),
                Cell::Boolean(value) => write!(text, "{value}").expect("text grows"),
                Cell::Integer(value) => write!(text, "{value}").expect("text grows"),
                Cell::Id(value) => write!(text, "{value}").expect("text grows"),
                Cell::Float(value) => write!(text, "{value}").expect("text grows"),
                Cell::Text(value) => field(text, value),
                Cell::Bytes(value) => text.push_str(&hexadecimal(value)),
            }
        }
        text.push('\n');
    }
}

fn field(text: &mut String, value: &str) {
    if value.contains(['"', ',', '\n', '\r']) {
        write!(text, "\"{}\"", value.replace('"', "\"\"")).expect("text grows");
    } else {
        text.push_str(value);
    }
}
