//! Rows as JSON as users are promised it: objects in column order, integers beyond 2^53 as strings. Written straight into
//! text: no document is built.

use std::fmt::Write as _;

use arrow::array::RecordBatch;

use crate::cells::{Cell, Cells, hexadecimal};

/// Integers up to here are exact in every JSON reader.
const EXACT: u128 = 1 << 53;

/// Rows of a batch as objects, with the keys quoted once.
#[derive(Debug)]
pub struct Objects {
    keys: Vec<String>,
    columns: Vec<Cells>,
}

impl Objects {
    /// The batch's rows.
    #[must_use]
    pub fn of(batch: &RecordBatch) -> Self {
        let key = |name: &str| {
            let mut key = String::new();
            quote(&mut key, name);
            key.push(':');
            key
        };
        let keys = batch.schema_ref().fields().iter().map(|field| key(field.name())).collect();
        Self { keys, columns: cells_of(batch) }
    }

    /// Appends a row's object, with the table's name in `_table` if it is given.
    pub fn object(&self, text: &mut String, row: usize, table: Option<&str>) {
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

/// All columns of a batch.
#[must_use]
pub fn cells_of(batch: &RecordBatch) -> Vec<Cells> {
    batch.columns().iter().map(Cells::of).collect()
}

/// Appends a comma before all but the first item.
pub fn separate(text: &mut String, position: usize) {
    if position > 0 {
        text.push(',');
    }
}

/// Appends a value.
pub fn value(text: &mut String, cell: Cell<'_>) {
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

/// Appends a string.
pub fn quote(text: &mut String, value: &str) {
    text.push_str(&serde_json::to_string(value).expect("text is always JSON"));
}
