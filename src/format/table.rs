//! Aligned columns for people, fitted to the terminal. Values come from traffic, so control characters never reach
//! the terminal.

use std::time::{Duration, UNIX_EPOCH};

use arrow::array::RecordBatch;

use crate::rows::{Answer, Column};
use crate::sizes::{human_bytes, human_duration};
use watershed_model::cells::{Cell, Cells, hexadecimal};

/// A cell wider than this is cut when the table does not fit otherwise.
const NARROWEST: usize = 8;

/// Columns of the terminal that stdout is, if it is one.
pub(crate) fn width_of_stdout() -> Option<usize> {
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    terminal.then(|| crossterm::terminal::size().ok()).flatten().map(|(columns, _)| usize::from(columns))
}

/// All tables of an answer, each under its name where there are several.
pub(crate) fn of_answer(answer: &Answer, width: Option<usize>) -> String {
    let mut text = String::new();
    for (position, table) in answer.tables.iter().enumerate() {
        if answer.tables.len() > 1 {
            if position > 0 {
                text.push('\n');
            }
            text.push_str(&format!("{}\n", table.schema.name));
        }
        let rows: Vec<_> = table.batches.iter().flat_map(|batch| cells_of(batch, &table.schema.columns)).collect();
        text.push_str(&render(&titles(&table.schema.columns), &rows, width));
    }
    text
}

/// The names of columns.
pub(crate) fn titles(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// Every row of a batch as texts for people.
pub(crate) fn cells_of(batch: &RecordBatch, columns: &[Column]) -> Vec<Vec<String>> {
    let readers: Vec<_> = batch.columns().iter().map(Cells::of).collect();
    let text = |position: usize, row: usize| {
        let semantic = columns.get(position).map_or(("", ""), |column| (&column.data_type, &column.semantic));
        human(readers[position].at(row), semantic)
    };
    (0..batch.num_rows()).map(|row| (0..readers.len()).map(|position| text(position, row)).collect()).collect()
}

/// Aligned lines: titles, then rows; numbers to the right. Cut to `width` where there is one.
pub(crate) fn render(titles: &[String], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut widths: Vec<usize> = titles.iter().map(|title| title.chars().count()).collect();
    let mut right = vec![!rows.is_empty(); titles.len()];
    for row in rows {
        for (position, cell) in row.iter().enumerate().take(widths.len()) {
            widths[position] = widths[position].max(cell.chars().count());
            right[position] &= cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !cell.contains('T');
        }
    }
    fit(&mut widths, width);
    let mut text = String::new();
    let upper: Vec<String> = titles.iter().map(|title| title.to_uppercase()).collect();
    for row in std::iter::once(&upper).chain(rows) {
        let mut line = String::new();
        for (position, cell) in row.iter().enumerate().take(widths.len()) {
            let cell = cut(cell, widths[position]);
            let space = " ".repeat(widths[position] - cell.chars().count());
            let (before, after) = if right[position] { (space.as_str(), "") } else { ("", space.as_str()) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Narrows the widest columns until the line fits.
fn fit(widths: &mut [usize], width: Option<usize>) {
    let Some(width) = width else { return };
    let mut excess = (widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)).saturating_sub(width);
    while excess > 0 {
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width).filter(|width| **width > NARROWEST) else {
            return;
        };
        *widest -= 1;
        excess -= 1;
    }
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// A value for people; `(type, semantic)` say what its number means.
fn human(cell: Cell<'_>, (data_type, semantic): (&str, &str)) -> String {
    let number = |value: f64| match semantic {
        "ST_DURATION_NS" | "ST_DURATION_NS_QUANTILES" => Some(human_duration(value)),
        "ST_BYTES" => Some(human_bytes(value)),
        "ST_PERCENT" => Some(format!("{:.1}%", value * 100.0)),
        _ => None,
    };
    match cell {
        Cell::Null => String::new(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Integer(value) if data_type == "TIME64NS" => time(value),
        Cell::Integer(value) => number(value as f64).unwrap_or_else(|| value.to_string()),
        Cell::Id(value) if semantic == "ST_UPID" => watershed_model::Upid::unpacked(value).to_string(),
        Cell::Id(value) => value.to_string(),
        Cell::Float(value) => number(value).unwrap_or_else(|| format!("{:.3}", value)),
        Cell::Text(value) => value.chars().map(|c| if c.is_control() { '·' } else { c }).collect(),
        Cell::Bytes(value) => hexadecimal(value),
    }
}

fn time(nanoseconds: i128) -> String {
    match u64::try_from(nanoseconds) {
        Ok(0) => "-".to_owned(),
        Ok(since) => humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(since)).to_string(),
        Err(_) => nanoseconds.to_string(),
    }
}
