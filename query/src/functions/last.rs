//! `last(value, time)`: the value of the row with the largest time; of several, the largest value. NULLs do not
//! count. Any types; values compare in Arrow's row order.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::fold::{Fold, Folding, Rows};

/// The aggregate.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Last {
    signature: Signature,
}

impl Last {
    pub(crate) fn new() -> Self {
        Last { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Last {
    fn name(&self) -> &str {
        "last"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [_, _] => Ok(arguments.to_vec()),
            _ => Err(DataFusionError::Plan("last takes a value and a time, such as last(conn_active, time_)".into())),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        // Distinct rows have the same last one.
        Ok(Folding::single(Latest::new(&args)?))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let time = args.input_fields.get(1).map_or(DataType::Null, |field| field.data_type().clone());
        let field = |part, data_type| Arc::new(Field::new(format_state_name(args.name, part), data_type, true));
        Ok(vec![field("time", time), field("value", args.return_type().clone())])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Folding::grouped(Latest::new(&args)?))
    }
}

struct Latest {
    /// Rows of time and value.
    converter: RowConverter,
    time: DataType,
    value: DataType,
}

impl fmt::Debug for Latest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Latest").field("time", &self.time).field("value", &self.value).finish()
    }
}

impl Latest {
    fn new(args: &AccumulatorArgs<'_>) -> Result<Self> {
        let [value, time] = args.expr_fields else {
            return Err(DataFusionError::Plan("last takes a value and a time".into()));
        };
        let (value, time) = (value.data_type().clone(), time.data_type().clone());
        let converter = RowConverter::new(vec![SortField::new(time.clone()), SortField::new(value.clone())])?;
        Ok(Latest { converter, time, value })
    }

    fn keep(&self, rows: &Rows<'_>, time: &ArrayRef, value: &ArrayRef, groups: &mut [Option<OwnedRow>]) -> Result<()> {
        let candidates = self.converter.convert_columns(&[Arc::clone(time), Arc::clone(value)])?;
        for (row, group) in rows.each().filter(|(row, _)| time.is_valid(*row) && value.is_valid(*row)) {
            let candidate = candidates.row(row);
            if groups[group].as_ref().is_none_or(|known| candidate > known.row()) {
                groups[group] = Some(candidate.owned());
            }
        }
        Ok(())
    }
}

impl Fold for Latest {
    type Group = Option<OwnedRow>;
    const RETRACTS: bool = false;

    fn update(&self, rows: &Rows<'_>, values: &[ArrayRef], _times: i64, groups: &mut [Option<OwnedRow>]) -> Result<()> {
        self.keep(rows, &values[1], &values[0], groups)
    }

    fn merge(&self, rows: &Rows<'_>, states: &[ArrayRef], groups: &mut [Option<OwnedRow>]) -> Result<()> {
        self.keep(rows, &states[0], &states[1], groups)
    }

    fn state(&self, groups: &[Option<OwnedRow>]) -> Result<Vec<ArrayRef>> {
        if groups.is_empty() {
            return Ok(vec![new_null_array(&self.time, 0), new_null_array(&self.value, 0)]);
        }
        let nulls = [new_null_array(&self.time, 1), new_null_array(&self.value, 1)];
        let none = self.converter.convert_columns(&nulls)?;
        let rows = groups.iter().map(|group| group.as_ref().map_or_else(|| none.row(0), |row| row.row()));
        Ok(self.converter.convert_rows(rows)?)
    }

    fn finish(&self, groups: &[Option<OwnedRow>]) -> Result<ArrayRef> {
        Ok(self.state(groups)?.swap_remove(1))
    }

    fn heap_bytes(group: &Option<OwnedRow>) -> usize {
        group.as_ref().map_or(0, |row| row.row().data().len())
    }
}
