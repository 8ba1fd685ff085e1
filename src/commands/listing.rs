//! Lists of things as answers, so that every format of `-o` serves them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};

use crate::rows::{Answer, Column, TableRows, TableSchema};

/// Rows under titles; a column's kind is that of its first value.
pub(super) struct Listing {
    name: &'static str,
    titles: Vec<&'static str>,
    rows: Vec<Vec<Values>>,
}

/// One value of a list.
#[derive(Debug, Clone)]
pub(super) enum Values {
    Text(String),
    Number(i64),
    Bytes(i64),
    /// Nanoseconds.
    Duration(i64),
    /// Nanoseconds since the epoch.
    Time(i64),
}

impl Values {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Values::Text(text.into())
    }

    fn kind(&self) -> (&'static str, &'static str) {
        match self {
            Values::Text(_) => ("STRING", "ST_NONE"),
            Values::Number(_) => ("INT64", "ST_NONE"),
            Values::Bytes(_) => ("INT64", "ST_BYTES"),
            Values::Duration(_) => ("INT64", "ST_DURATION_NS"),
            Values::Time(_) => ("TIME64NS", "ST_TIME_NS"),
        }
    }
}

impl Listing {
    pub(super) fn new(name: &'static str, titles: &[&'static str]) -> Self {
        Self { name, titles: titles.to_vec(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, row: impl Into<Vec<Values>>) {
        self.rows.push(row.into());
    }

    pub(super) fn answer(&self) -> Answer {
        let mut columns = Vec::new();
        let mut arrays = Vec::new();
        for (position, title) in self.titles.iter().enumerate() {
            let values: Vec<_> = self.rows.iter().filter_map(|row| row.get(position)).collect();
            let (data_type, semantic) = values.first().map_or(("STRING", "ST_NONE"), |value| value.kind());
            let (data_type, semantic) = (data_type.to_owned(), semantic.to_owned());
            columns.push(Column { name: (*title).to_owned(), data_type, semantic });
            arrays.push(array(&values));
        }
        let fields = self.titles.iter().zip(&arrays).map(|(title, array)| {
            let array: &ArrayRef = array;
            Field::new(*title, array.data_type().clone(), false)
        });
        let arrow = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let batch = RecordBatch::try_new(Arc::clone(&arrow), arrays).expect("the schema was made from the arrays");
        let schema = TableSchema { name: self.name.to_owned(), columns };
        Answer { time: 0, tables: vec![TableRows { schema, arrow, batches: vec![batch] }], notes: Vec::new() }
    }
}

fn array(values: &[&Values]) -> ArrayRef {
    if let Some(Values::Text(_)) | None = values.first() {
        let text = |value: &&Values| match value {
            Values::Text(text) => text.clone(),
            Values::Number(number) | Values::Bytes(number) | Values::Duration(number) | Values::Time(number) => {
                number.to_string()
            }
        };
        return Arc::new(StringArray::from_iter_values(values.iter().map(text)));
    }
    let number = |value: &&Values| match value {
        Values::Text(_) => 0,
        Values::Number(number) | Values::Bytes(number) | Values::Duration(number) | Values::Time(number) => *number,
    };
    Arc::new(Int64Array::from_iter_values(values.iter().map(number)))
}
