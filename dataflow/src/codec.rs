//! Between record batches and rows of bytes: Arrow's row format, whose byte order is the order of values and in which
//! the row of joined schemas is the concatenation of the rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::SortOptions;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, RowParser, Rows, SortField};

/// Encodes and decodes rows of one list of types.
pub(crate) struct Codec {
    converter: RowConverter,
    parser: RowParser,
    types: Vec<DataType>,
}

impl Codec {
    /// A codec for columns of these types in ascending order, NULLs first.
    pub(crate) fn new(types: Vec<DataType>) -> Result<Self, ArrowError> {
        let options = vec![SortOptions { descending: false, nulls_first: true }; types.len()];
        Self::ordered(types, &options)
    }

    /// A codec whose byte order follows each column's options.
    pub(crate) fn ordered(types: Vec<DataType>, options: &[SortOptions]) -> Result<Self, ArrowError> {
        let fields =
            types.iter().zip(options).map(|(t, options)| SortField::new_with_options(t.clone(), *options)).collect();
        let converter = RowConverter::new(fields)?;
        let parser = converter.parser();
        Ok(Codec { converter, parser, types })
    }

    /// A codec for a schema's columns.
    pub(crate) fn of(schema: &Schema) -> Result<Self, ArrowError> {
        Self::new(schema.fields().iter().map(|field| field.data_type().clone()).collect())
    }

    /// Rows of the columns, which are cast to the codec's types where they differ.
    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Encoded, ArrowError> {
        if self.types.is_empty() {
            return Ok(Encoded(None));
        }
        let columns: Vec<ArrayRef> = columns
            .iter()
            .zip(&self.types)
            .map(|(column, t)| if column.data_type() == t { Ok(Arc::clone(column)) } else { cast(column, t) })
            .collect::<Result<_, _>>()?;
        Ok(Encoded(Some(self.converter.convert_columns(&columns)?)))
    }

    /// The columns of rows that this codec (or one of the same types) made.
    pub(crate) fn decode<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>, ArrowError> {
        if self.types.is_empty() {
            return Ok(Vec::new());
        }
        self.converter.convert_rows(rows.map(|row| self.parser.parse(row)))
    }

    /// A row of NULLs.
    pub(crate) fn nulls(&self) -> Vec<u8> {
        let columns: Vec<ArrayRef> = self.types.iter().map(|t| arrow::array::new_null_array(t, 1)).collect();
        self.encode(&columns).map(|rows| rows.row(0).to_vec()).unwrap_or_default()
    }
}

/// Encoded rows; without columns every row is empty.
pub(crate) struct Encoded(Option<Rows>);

impl Encoded {
    /// The bytes of a row.
    pub(crate) fn row(&self, index: usize) -> &[u8] {
        match &self.0 {
            Some(rows) => rows.row(index).data(),
            None => &[],
        }
    }
}

/// The schema with every column nullable: rows in flight may hold NULLs where the planner proved that none remain.
pub(crate) fn relaxed(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new(fields))
}

/// A batch of columns, cast to the schema's types where they differ.
pub(crate) fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    let columns = columns
        .into_iter()
        .zip(schema.fields())
        .map(
            |(column, field)| {
                if column.data_type() == field.data_type() { Ok(column) } else { cast(&column, field.data_type()) }
            },
        )
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}
