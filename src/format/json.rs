//! JSON as promised: rows as objects in column order, integers beyond 2^53 as strings, and the lines of a
//! subscription. Written straight into text: no document is built.

use std::fmt::Write as _;

use arrow::array::RecordBatch;

use super::cells::{Cell, Cells, hexadecimal};
use crate::rows::{Answer, Changes, Column, Event, TableSchema};

/// Integers up to here are exact in every JSON reader.
const EXACT: u128 = 1 << 53;

/// `{"time": T, "tables": {"NAME": {"columns": […], "rows": [[…], …]}}}` and a line end.
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
            let columns = columns_of(batch);
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
    text.push_str("}}\n");
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

/// Rows of a batch as objects, with the keys quoted once.
struct Objects {
    keys: Vec<String>,
    columns: Vec<Cells>,
}

impl Objects {
    fn of(batch: &RecordBatch) -> Self {
        let key = |name: &str| {
            let mut key = String::new();
            quote(&mut key, name);
            key.push(':');
            key
        };
        let keys = batch.schema_ref().fields().iter().map(|field| key(field.name())).collect();
        Self { keys, columns: columns_of(batch) }
    }

    fn object(&self, text: &mut String, row: usize, table: Option<&str>) {
        text.push('{');
        if let Some(table) = table {
            text.push_str("\"_table\":");
            quote(text, table);
        }
        for (position, (key, cells)) in self.keys.iter().zip(&self.columns).enumerate() {
            separate(text, position + usize::from(table.is_some()));
            text.push_str(key);
            value(text, cells.at(row));
        }
        text.push('}');
    }
}

fn columns_of(batch: &RecordBatch) -> Vec<Cells> {
    batch.columns().iter().map(Cells::of).collect()
}

fn separate(text: &mut String, position: usize) {
    if position > 0 {
        text.push(',');
    }
}

fn value(text: &mut String, cell: Cell<'_>) {
    match cell {
        Cell::Null => text.push_str("null"),
        Cell::Boolean(value) => text.push_str(if value { "true" } else { "false" }),
        Cell::Integer(value) if value.unsigned_abs() <= EXACT => write!(text, "{value}").expect("text grows"),
        Cell::Integer(value) => write!(text, "\"{value}\"").expect("text grows"),
        Cell::Id(value) => write!(text, "\"{value}\"").expect("text grows"),
        // JSON has no infinities; serde_json writes them as null, too.
        Cell::Float(value) => text.push_str(&serde_json::Value::from(value).to_string()),
        Cell::Text(value) => quote(text, value),
        Cell::Bytes(value) => quote(text, &hexadecimal(value)),
    }
}

fn quote(text: &mut String, value: &str) {
    text.push_str(&serde_json::to_string(value).expect("text is always JSON"));
}
