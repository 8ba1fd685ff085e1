//! Rows of one table as Arrow builders in its storage schema, filled column by column.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, FixedSizeBinaryBuilder, Int64Builder, RecordBatch, StringBuilder,
    TimestampNanosecondBuilder,
};
use arrow::datatypes::{DataType as ArrowType, SchemaRef};
use watershed_model::Table;

use crate::redaction::{Mask, Rule};

#[derive(Debug)]
enum Column {
    Int(Int64Builder),
    Time(TimestampNanosecondBuilder),
    Flag(BooleanBuilder),
    Text(StringBuilder),
    Bytes(BinaryBuilder),
    Fixed(FixedSizeBinaryBuilder),
}

/// A batch in the making. Values are given in the order of the table's columns, row after row.
#[derive(Debug)]
pub(crate) struct Rows {
    table: &'static Table,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// By column; none if nothing is hidden.
    masks: Vec<Option<Mask>>,
    /// The first text of the row, which says what the others mean; kept where something is hidden.
    command: Vec<u8>,
    at: usize,
    rows: usize,
}

impl Rows {
    pub(crate) fn new(table: &'static Table) -> Self {
        let schema = table.storage_schema();
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                ArrowType::Boolean => Column::Flag(BooleanBuilder::new()),
                ArrowType::Utf8 => Column::Text(StringBuilder::new()),
                ArrowType::Binary => Column::Bytes(BinaryBuilder::new()),
                ArrowType::FixedSizeBinary(size) => Column::Fixed(FixedSizeBinaryBuilder::new(*size)),
                ArrowType::Timestamp(_, zone) => {
                    Column::Time(TimestampNanosecondBuilder::new().with_timezone_opt(zone.clone()))
                }
                _ => Column::Int(Int64Builder::new()),
            })
            .collect();
        Rows { table, schema, columns, masks: Vec::new(), command: Vec::new(), at: 0, rows: 0 }
    }

    /// Rows of which something is hidden.
    pub(crate) fn redacted(table: &'static Table, rules: &[Rule]) -> Self {
        let masks = Mask::of_table(table, rules);
        let masks = if masks.iter().any(Option::is_some) { masks } else { Vec::new() };
        Rows { masks, ..Rows::new(table) }
    }

    fn next(&mut self) -> &mut Column {
        let at = self.at;
        self.at += 1;
        if self.at == self.columns.len() {
            self.at = 0;
            self.rows += 1;
            self.command.clear();
        }
        &mut self.columns[at]
    }

    /// The next value of an integer or time column.
    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        match self.next() {
            Column::Int(builder) => builder.append_value(value),
            Column::Time(builder) => builder.append_value(value),
            Column::Flag(_) | Column::Text(_) | Column::Bytes(_) | Column::Fixed(_) => unreachable!("column order"),
        }
        self
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        match self.next() {
            Column::Flag(builder) => builder.append_value(value),
            _ => unreachable!("column order"),
        }
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        match self.next() {
            Column::Text(builder) => builder.append_value(value),
            _ => unreachable!("column order"),
        }
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        if !self.masks.is_empty() && self.command.is_empty() {
            self.command.extend_from_slice(value);
        }
        let mask = self.masks.get(self.at).and_then(Option::as_ref);
        let value = mask.map_or(Cow::Borrowed(value), |mask| mask.apply(value, &self.command));
        let Column::Bytes(builder) = &mut self.columns[self.at] else { unreachable!("column order") };
        builder.append_value(value);
        self.next();
        self
    }

    /// An id or an address.
    pub(crate) fn fixed(&mut self, value: [u8; 16]) -> &mut Self {
        match self.next() {
            Column::Fixed(builder) => builder.append_value(value).expect("ids and addresses have 16 bytes"),
            _ => unreachable!("column order"),
        }
        self
    }

    /// The rows so far, if any, and room for the next.
    pub(crate) fn take(&mut self) -> Option<(&'static str, RecordBatch)> {
        if self.rows == 0 {
            return None;
        }
        self.rows = 0;
        let arrays: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|column| -> ArrayRef {
                match column {
                    Column::Int(builder) => Arc::new(builder.finish()),
                    Column::Time(builder) => Arc::new(builder.finish()),
                    Column::Flag(builder) => Arc::new(builder.finish()),
                    Column::Text(builder) => Arc::new(builder.finish()),
                    Column::Bytes(builder) => Arc::new(builder.finish()),
                    Column::Fixed(builder) => Arc::new(builder.finish()),
                }
            })
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).expect("built from the same schema");
        Some((self.table.name, batch))
    }
}
