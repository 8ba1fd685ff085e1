//! A keyed view as metrics: each row is a set of labels, each numeric column that is no key a value. Pure.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use watershed_model::cells::{Cell, Cells, hexadecimal};

use crate::endpoint::{Batch, Changes};
use crate::feed::Shape;

/// What tells series apart, by name.
pub(crate) type Labels = Vec<(String, String)>;
/// Values by the name of their column.
pub(crate) type Values = Vec<(String, f64)>;

/// The rows that a view has.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    rows: BTreeMap<Labels, Values>,
    /// What was reported and is gone since.
    gone: BTreeMap<Labels, Values>,
}

/// Why a view cannot be metrics; `None` when it can.
pub(crate) fn refusal(shape: &Shape) -> Option<String> {
    let view = &shape.view;
    if shape.key.is_empty() {
        return Some(format!("metrics need rows with a key, and those of `{view}` have none"));
    }
    let is_value = |field: &&std::sync::Arc<arrow::datatypes::Field>| {
        is_number(field.data_type()) && !shape.key.contains(field.name())
    };
    if shape.schema.fields().iter().find(is_value).is_none() {
        return Some(format!("metrics need a numeric column beside the key, and `{view}` has none"));
    }
    None
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Duration(_))
}

impl Samples {
    /// Applies a batch; a snapshot replaces all rows.
    pub(crate) fn apply(&mut self, batch: &Batch) {
        if batch.snapshot {
            self.gone.append(&mut self.rows);
        }
        for changes in &batch.changes {
            // A row that is replaced goes before its successor comes.
            self.each(
                &batch.shape,
                changes,
                |diff| diff < 0,
                |samples, labels, values| {
                    if samples.rows.remove(&labels).is_some() {
                        samples.gone.insert(labels, values);
                    }
                },
            );
            self.each(
                &batch.shape,
                changes,
                |diff| diff > 0,
                |samples, labels, values| {
                    samples.gone.remove(&labels);
                    samples.rows.insert(labels, values);
                },
            );
        }
    }

    fn each(
        &mut self,
        shape: &Shape,
        changes: &Changes,
        is_wanted: impl Fn(i64) -> bool,
        mut apply: impl FnMut(&mut Self, Labels, Values),
    ) {
        let schema = changes.rows.schema();
        let columns: Vec<Cells> = changes.rows.columns().iter().map(Cells::of).collect();
        for (row, _) in changes.diffs.iter().enumerate().filter(|(_, diff)| is_wanted(**diff)) {
            let (mut labels, mut values) = (Labels::new(), Values::new());
            for (field, cells) in schema.fields().iter().zip(&columns) {
                let name = field.name().clone();
                match number(cells.at(row)) {
                    Some(number) if !shape.key.contains(&name) => values.push((name, number)),
                    _ => labels.extend(text(cells.at(row)).map(|text| (name, text))),
                }
            }
            labels.sort();
            apply(self, labels, values);
        }
    }

    /// The rows there are.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Labels, &Values)> {
        self.rows.iter()
    }

    /// Rows that were there at the last [`Samples::reported`] and are gone.
    pub(crate) fn gone(&self) -> impl Iterator<Item = (&Labels, &Values)> {
        self.gone.iter()
    }

    /// Everything was told.
    pub(crate) fn reported(&mut self) {
        self.gone.clear();
    }
}

fn number(cell: Cell<'_>) -> Option<f64> {
    match cell {
        Cell::Integer(value) => Some(value as f64),
        Cell::Float(value) => Some(value),
        Cell::Null | Cell::Boolean(_) | Cell::Id(_) | Cell::Text(_) | Cell::Bytes(_) => None,
    }
}

/// A label's text; what is empty is no label.
fn text(cell: Cell<'_>) -> Option<String> {
    let text = match cell {
        Cell::Null => return None,
        Cell::Boolean(value) => value.to_string(),
        Cell::Integer(value) => value.to_string(),
        Cell::Id(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
        Cell::Text(value) => value.to_owned(),
        Cell::Bytes(value) => hexadecimal(value),
    };
    (!text.is_empty()).then_some(text)
}
