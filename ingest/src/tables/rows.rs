//! Rows of one table in its storage schema, filled column by column.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, FixedSizeBinaryArray, Int64Array, RecordBatch,
    StringArray, TimestampNanosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, SchemaRef};
use watershed_model::Table;

use crate::redaction::{Mask, Rule};

const ID_BYTES: usize = 16;

/// Values of a column; none of ours is ever NULL.
#[derive(Debug)]
enum Column {
    Int(Values<i64>),
    Time(Values<i64>, Option<Arc<str>>),
    Flag(BooleanBufferBuilder),
    Text(Texts),
    Bytes(Texts),
    Fixed(Values<[u8; ID_BYTES]>),
}

/// Values with room for as many as the last batch had, once there is one: growing step by step copies them each time, and
/// a table without traffic holds nothing.
#[derive(Debug)]
struct Values<T> {
    values: Vec<T>,
    expected: usize,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Values { values: Vec::new(), expected: 0 }
    }
}

impl<T: Copy> Values<T> {
    fn make_room(&mut self) {
        if self.values.capacity() == 0 {
            self.values.reserve_exact(self.expected + self.expected / 8);
        }
    }

    fn push(&mut self, value: T) {
        self.make_room();
        self.values.push(value);
    }

    fn fill(&mut self, value: T, times: usize) {
        self.make_room();
        self.values.resize(self.values.len() + times, value);
    }

    fn extend(&mut self, values: &[T]) {
        self.make_room();
        self.values.extend_from_slice(values);
    }

    fn take(&mut self) -> Vec<T> {
        self.expected = self.values.len();
        let mut values = std::mem::take(&mut self.values);
        if values.len() < values.capacity() / 2 {
            values.shrink_to_fit();
        }
        values
    }
}

/// Runs of bytes, one after the other; each ends where the next begins.
#[derive(Debug, Default)]
struct Texts {
    offsets: Values<i32>,
    bytes: Values<u8>,
}

impl Texts {
    fn push(&mut self, text: &[u8]) {
        if self.offsets.values.is_empty() {
            self.offsets.push(0);
        }
        self.bytes.extend(text);
        self.offsets.push(i32::try_from(self.bytes.values.len()).expect("a tick has less than 2 GiB of a column"));
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer) {
        (OffsetBuffer::new(self.offsets.take().into()), Buffer::from_vec(self.bytes.take()))
    }
}

impl Column {
    fn of(data_type: &ArrowType) -> Self {
        match data_type {
            ArrowType::Boolean => Column::Flag(BooleanBufferBuilder::new(0)),
            ArrowType::Utf8 => Column::Text(Texts::default()),
            ArrowType::Binary => Column::Bytes(Texts::default()),
            ArrowType::FixedSizeBinary(_) => Column::Fixed(Values::default()),
            ArrowType::Timestamp(_, zone) => Column::Time(Values::default(), zone.clone()),
            _ => Column::Int(Values::default()),
        }
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Column::Int(values) => Arc::new(Int64Array::from(values.take())),
            Column::Time(values, zone) => {
                Arc::new(TimestampNanosecondArray::from(values.take()).with_timezone_opt(zone.clone()))
            }
            Column::Flag(flags) => Arc::new(BooleanArray::from(flags.finish())),
            Column::Text(texts) => {
                let (offsets, bytes) = texts.take();
                Arc::new(StringArray::new(offsets, bytes, None))
            }
            Column::Bytes(texts) => {
                let (offsets, bytes) = texts.take();
                Arc::new(BinaryArray::new(offsets, bytes, None))
            }
            Column::Fixed(values) => {
                let bytes = Buffer::from_vec(values.take().into_flattened());
                Arc::new(FixedSizeBinaryArray::new(ID_BYTES as i32, bytes, None))
            }
        }
    }
}

/// A batch in the making. Values are given in the order of the table's columns, row after row; columns may be left out of
/// that, to be filled before the batch is taken.
#[derive(Debug)]
pub(crate) struct Rows {
    table: &'static Table,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// The columns whose values are given row after row.
    given: Box<[usize]>,
    /// By column; none if nothing is hidden.
    masks: Vec<Option<Mask>>,
    /// The first text of the row, which says what the others mean; kept where something is hidden.
    command: Vec<u8>,
    /// The next of those given.
    at: usize,
    rows: usize,
}

impl Rows {
    pub(crate) fn new(table: &'static Table) -> Self {
        let schema = table.storage_schema();
        let columns: Vec<_> = schema.fields().iter().map(|field| Column::of(field.data_type())).collect();
        let given = (0..columns.len()).collect();
        Rows { table, schema, columns, given, masks: Vec::new(), command: Vec::new(), at: 0, rows: 0 }
    }

    /// Leaves columns out of what is given row after row.
    pub(crate) fn without(mut self, filled: impl Fn(&str) -> bool) -> Self {
        let is_given = |at: &usize| !filled(self.table.columns[*at].name);
        self.given = (0..self.columns.len()).filter(is_given).collect();
        self
    }

    /// Rows of which something is hidden.
    pub(crate) fn redacted(table: &'static Table, rules: &[Rule]) -> Self {
        let masks = Mask::of_table(table, rules);
        let masks = if masks.iter().any(Option::is_some) { masks } else { Vec::new() };
        Rows { masks, ..Rows::new(table) }
    }

    fn next(&mut self) -> &mut Column {
        let column = self.given[self.at];
        self.at += 1;
        if self.at == self.given.len() {
            self.at = 0;
            self.rows += 1;
            self.command.clear();
        }
        &mut self.columns[column]
    }

    /// The next value of an integer or time column.
    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        match self.next() {
            Column::Int(values) | Column::Time(values, _) => values.push(value),
            Column::Flag(_) | Column::Text(_) | Column::Bytes(_) | Column::Fixed(_) => unreachable!("column order"),
        }
        self
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        match self.next() {
            Column::Flag(flags) => flags.append(value),
            _ => unreachable!("column order"),
        }
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        match self.next() {
            Column::Text(texts) => texts.push(value.as_bytes()),
            _ => unreachable!("column order"),
        }
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        if !self.masks.is_empty() && self.command.is_empty() {
            self.command.extend_from_slice(value);
        }
        let column = self.given[self.at];
        let mask = self.masks.get(column).and_then(Option::as_ref);
        let value = mask.map_or(Cow::Borrowed(value), |mask| mask.apply(value, &self.command));
        let Column::Bytes(texts) = &mut self.columns[column] else { unreachable!("column order") };
        texts.push(&value);
        self.next();
        self
    }

    /// An id or an address.
    pub(crate) fn fixed(&mut self, value: [u8; 16]) -> &mut Self {
        match self.next() {
            Column::Fixed(values) => values.push(value),
            _ => unreachable!("column order"),
        }
        self
    }

    /// Fills an integer column that was left out with a value, so many times.
    pub(crate) fn fill_ints(&mut self, column: usize, value: i64, times: usize) {
        let Column::Int(values) = &mut self.columns[column] else { unreachable!("column order") };
        values.fill(value, times);
    }

    /// The same of a column of flags.
    pub(crate) fn fill_flags(&mut self, column: usize, value: bool, times: usize) {
        let Column::Flag(flags) = &mut self.columns[column] else { unreachable!("column order") };
        flags.append_n(times, value);
    }

    /// The same of a column of ids or addresses.
    pub(crate) fn fill_fixed(&mut self, column: usize, value: [u8; 16], times: usize) {
        let Column::Fixed(values) = &mut self.columns[column] else { unreachable!("column order") };
        values.fill(value, times);
    }

    /// The rows so far, if any, and room for the next.
    pub(crate) fn take(&mut self) -> Option<(&'static str, RecordBatch)> {
        if self.rows == 0 {
            return None;
        }
        self.rows = 0;
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(Column::take).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).expect("built from the same schema");
        Some((self.table.name, batch))
    }
}
