//! Values of an Arrow column one by one, downcast once a batch.

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array,
    StringArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType, UInt64Type,
};
use arrow::util::display::array_value_to_string;

/// One value, whatever its width in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// Any integer; times and durations in nanoseconds.
    Integer(i128),
    /// A u128 id.
    Id(u128),
    /// Any float.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Bytes that are no text.
    Bytes(&'a [u8]),
}

/// A column that can be read value by value.
#[derive(Debug)]
pub struct Cells(Column);

#[derive(Debug)]
enum Column {
    Boolean(BooleanArray),
    Integer(Int64Array),
    Unsigned(UInt64Array),
    Float(Float64Array),
    Text(StringArray),
    Id(FixedSizeBinaryArray),
    Bytes(BinaryArray),
}

impl Cells {
    /// Any column: what is none of our types is read as text.
    #[must_use]
    pub fn of(array: &ArrayRef) -> Self {
        Self(Column::of(array))
    }

    /// The value of a row.
    ///
    /// # Panics
    /// When the column has fewer rows.
    #[must_use]
    pub fn at(&self, row: usize) -> Cell<'_> {
        self.0.at(row)
    }
}

impl Column {
    fn of(array: &ArrayRef) -> Self {
        Self::converted(array).unwrap_or_else(|| {
            let text = (0..array.len()).map(|row| array_value_to_string(array, row).unwrap_or_default());
            Column::Text(StringArray::from_iter_values(text))
        })
    }

    fn converted(array: &ArrayRef) -> Option<Self> {
        let to = |data_type: &DataType| cast(array, data_type).ok();
        let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
        Some(match array.data_type() {
            DataType::Boolean => Column::Boolean(array.as_boolean().clone()),
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => Column::Integer(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone()),
            DataType::UInt64 => Column::Unsigned(array.as_primitive::<UInt64Type>().clone()),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                Column::Float(to(&DataType::Float64)?.as_primitive::<Float64Type>().clone())
            }
            DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64 => Column::Integer(
                to(&nanoseconds)?.as_primitive::<TimestampNanosecondType>().reinterpret_cast::<Int64Type>(),
            ),
            DataType::Duration(TimeUnit::Microsecond) => Column::Integer(
                array
                    .as_primitive::<DurationMicrosecondType>()
                    .unary::<_, Int64Type>(|value| value.saturating_mul(1000)),
            ),
            DataType::Duration(TimeUnit::Nanosecond) => {
                Column::Integer(to(&DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            DataType::FixedSizeBinary(16) => Column::Id(array.as_fixed_size_binary().clone()),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                Column::Bytes(to(&DataType::Binary)?.as_binary::<i32>().clone())
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Column::Text(to(&DataType::Utf8)?.as_string::<i32>().clone())
            }
            DataType::Dictionary(_, values) => return Self::converted(&to(values)?),
            _ => return None,
        })
    }

    fn at(&self, row: usize) -> Cell<'_> {
        match self {
            Column::Boolean(array) if array.is_valid(row) => Cell::Boolean(array.value(row)),
            Column::Integer(array) if array.is_valid(row) => Cell::Integer(i128::from(array.value(row))),
            Column::Unsigned(array) if array.is_valid(row) => Cell::Integer(i128::from(array.value(row))),
            Column::Float(array) if array.is_valid(row) => Cell::Float(array.value(row)),
            Column::Text(array) if array.is_valid(row) => Cell::Text(array.value(row)),
            Column::Id(array) if array.is_valid(row) => {
                let bytes = array.value(row).try_into().expect("the column's values have 16 bytes");
                Cell::Id(u128::from_be_bytes(bytes))
            }
            Column::Bytes(array) if array.is_valid(row) => Cell::Bytes(array.value(row)),
            _ => Cell::Null,
        }
    }
}

/// Bytes that are no text, as hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
