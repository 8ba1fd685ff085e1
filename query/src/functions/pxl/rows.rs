//! From a function of values to one of arrays: NULL where an argument is NULL or the result is `None`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryBuilder, Float64Array, Int64Array, StringArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use datafusion::error::Result;
use watershed_model::{DataType as Type, Upid};

/// Nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) i64);

/// What a function takes: a value of a valid row.
pub(super) trait Argument<'a>: Sized {
    fn at(array: &'a dyn Array, row: usize) -> Self;
}

impl<'a> Argument<'a> for &'a str {
    fn at(array: &'a dyn Array, row: usize) -> Self {
        array.as_string::<i32>().value(row)
    }
}

impl Argument<'_> for bool {
    fn at(array: &dyn Array, row: usize) -> Self {
        array.as_boolean().value(row)
    }
}

impl Argument<'_> for i64 {
    fn at(array: &dyn Array, row: usize) -> Self {
        array.as_primitive::<Int64Type>().value(row)
    }
}

impl Argument<'_> for f64 {
    fn at(array: &dyn Array, row: usize) -> Self {
        array.as_primitive::<Float64Type>().value(row)
    }
}

impl Argument<'_> for Time {
    fn at(array: &dyn Array, row: usize) -> Self {
        Time(array.as_primitive::<TimestampNanosecondType>().value(row))
    }
}

impl Argument<'_> for Upid {
    fn at(array: &dyn Array, row: usize) -> Self {
        array.as_fixed_size_binary().value(row).try_into().map_or(Upid::NONE, Upid::from_bytes)
    }
}

/// What a function makes.
pub(super) trait Made: Sized {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef>;
}

impl Made for String {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<StringArray>()))
    }
}

impl Made for &str {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<StringArray>()))
    }
}

impl Made for bool {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<BooleanArray>()))
    }
}

impl Made for i64 {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<Int64Array>()))
    }
}

impl Made for f64 {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef> {
        Ok(Arc::new(values.collect::<Float64Array>()))
    }
}

impl Made for Time {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef> {
        let times = values.map(|time| time.map(|time| time.0)).collect::<TimestampNanosecondArray>();
        Ok(Arc::new(times.with_data_type(Type::Time64Ns.arrow())))
    }
}

impl Made for Upid {
    fn collect(values: impl Iterator<Item = Option<Self>>) -> Result<ArrayRef> {
        let mut builder = FixedSizeBinaryBuilder::new(16);
        for value in values {
            match value {
                Some(upid) => builder.append_value(upid.to_bytes())?,
                None => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }
}

/// Rows in which no argument is NULL.
fn rows(arrays: &[ArrayRef]) -> impl Iterator<Item = Option<usize>> {
    let count = arrays.first().map_or(0, |array| array.len());
    (0..count).map(|row| arrays.iter().all(|array| array.is_valid(row)).then_some(row))
}

/// A function of no argument: a single row.
pub(super) fn map0<R: Made>(value: R) -> Result<ArrayRef> {
    R::collect(std::iter::once(Some(value)))
}

pub(super) fn map1<'a, A: Argument<'a>, R: Made>(arrays: &'a [ArrayRef], f: impl Fn(A) -> R) -> Result<ArrayRef> {
    let [a] = arrays else { return arity() };
    R::collect(rows(arrays).map(|row| row.map(|row| f(A::at(a, row)))))
}

pub(super) fn map2<'a, A: Argument<'a>, C: Argument<'a>, R: Made>(
    arrays: &'a [ArrayRef],
    mut f: impl FnMut(A, C) -> R,
) -> Result<ArrayRef> {
    let [a, c] = arrays else { return arity() };
    R::collect(rows(arrays).map(|row| row.map(|row| f(A::at(a, row), C::at(c, row)))))
}

pub(super) fn map3<'a, A: Argument<'a>, C: Argument<'a>, D: Argument<'a>, R: Made>(
    arrays: &'a [ArrayRef],
    mut f: impl FnMut(A, C, D) -> R,
) -> Result<ArrayRef> {
    let [a, c, d] = arrays else { return arity() };
    R::collect(rows(arrays).map(|row| row.map(|row| f(A::at(a, row), C::at(c, row), D::at(d, row)))))
}

/// A function of any number of texts.
pub(super) fn texts<R: Made>(arrays: &[ArrayRef], f: impl Fn(&[&str]) -> R) -> Result<ArrayRef> {
    R::collect(rows(arrays).map(|row| {
        let row = row?;
        Some(f(&arrays.iter().map(|array| <&str>::at(array, row)).collect::<Vec<_>>()))
    }))
}

fn arity<R>() -> Result<R> {
    Err(datafusion::error::DataFusionError::Internal("a function with the wrong number of arguments".into()))
}
