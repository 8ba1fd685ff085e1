//! JSON as promised: rows as objects in column order, integers beyond 2^53 as strings, and the lines of a
//! subscription.

use std::fmt::Write as _;

use arrow::array::RecordBatch;
use watershed_model::json::{Objects, cells_of, quote, separate, value};

use crate::rows::{Answer, Changes, Column, Event, TableSchema};

/// `{"time": T, "tables": {"NAME": {"columns": […], "rows": [[…], …]}}}` and a line end; `"notes": […]` if there are any.
pub(crate) fn of_answer(answer: &Answer) -> String {
    let mut text = format!("{{\"time\":{},\"tables\":{{", answer.time);
    for (position, table) in answer.tables.iter().enumerate() {
        separate(&mut text, position);
        quote(&mut text, &table.schema.name);
        text.push_str(":{\"columns\":[");
        for (position, column) in table.schema.columns.iter().enumerate() {
            separate(&mut text, position);
            quote(&mut text, &column.name);
        }
        text.push_str("],\"rows\":[");
        let mut first = true;
        for batch in &table.batches {
            let columns = cells_of(batch);
            for row in 0..batch.num_rows() {
                separate(&mut text, usize::from(!first));
                first = false;
                text.push('[');
                for (position, cells) in columns.iter().enumerate() {
                    separate(&mut text, position);
                    value(&mut text, cells.at(row));
                }
                text.push(']');
            }
        }
        text.push_str("]}");
    }
    text.push('}');
    if !answer.notes.is_empty() {
        text.push_str(",\"notes\":[");
        for (position, note) in answer.notes.iter().enumerate() {
            separate(&mut text, position);
            quote(&mut text, note);
        }
        text.push(']');
    }
    text.push_str("}\n");
    text
}

/// One object a row, with `_table` when there is more than one table.
pub(crate) fn lines_of_answer(answer: &Answer) -> String {
    let mut text = String::new();
    for table in &answer.tables {
        let mark = (answer.tables.len() > 1).then_some(table.schema.name.as_str());
        for batch in &table.batches {
            let rows = Objects::of(batch);
            for row in 0..batch.num_rows() {
                rows.object(&mut text, row, mark);
                text.push('\n');
            }
        }
    }
    text
}

/// The lines of an event of a subscription, each with its line end.
pub(crate) fn lines_of_event(event: &Event) -> String {
    let mut text = String::new();
    match event {
        Event::Schema(tables) => schema(&mut text, tables),
        Event::Changes(batch) => changes(&mut text, batch),
        Event::Progress(time) => writeln!(text, "{{\"progress\":{time}}}").expect("text grows"),
        Event::Restart(reason) => {
            text.push_str("{\"restart\":");
            quote(&mut text, reason);
            text.push_str("}\n");
        }
    }
    text
}

/// Each row of a batch as an object.
pub(crate) fn objects(batch: &RecordBatch) -> Vec<String> {
    let rows = Objects::of(batch);
    let object = |row| {
        let mut text = String::new();
        rows.object(&mut text, row, None);
        text
    };
    (0..batch.num_rows()).map(object).collect()
}

/// `[{"name","type","semantic"}…]`.
pub(crate) fn columns(text: &mut String, columns: &[Column]) {
    text.push('[');
    for (position, column) in columns.iter().enumerate() {
        separate(text, position);
        text.push_str("{\"name\":");
        quote(text, &column.name);
        text.push_str(",\"type\":");
        quote(text, &column.data_type);
        text.push_str(",\"semantic\":");
        quote(text, &column.semantic);
        text.push('}');
    }
    text.push(']');
}

fn schema(text: &mut String, tables: &[TableSchema]) {
    text.push_str("{\"schema\":{");
    for (position, table) in tables.iter().enumerate() {
        separate(text, position);
        quote(text, &table.name);
        text.push(':');
        columns(text, &table.columns);
    }
    text.push_str("}}\n");
}

fn changes(text: &mut String, changes: &Changes) {
    let mut start = String::from(if changes.snapshot { "{\"snapshot\":" } else { "{\"table\":" });
    quote(&mut start, &changes.table);
    write!(start, ",\"time\":{},\"diff\":", changes.time).expect("text grows");
    let rows = Objects::of(&changes.rows);
    for (row, diff) in changes.diffs.iter().enumerate() {
        write!(text, "{start}{diff},\"row\":").expect("text grows");
        rows.object(text, row, None);
        text.push_str("}\n");
    }
}
