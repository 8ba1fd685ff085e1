//! `lines(text)`: the distinct lines of a group's texts in order, one below the other. What a group keeps is a set,
//! so the order of rows and how often one is there do not matter.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility};

use super::fold::{Fold, Folding, Rows};

/// The aggregate.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lines {
    signature: Signature,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Lines { signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Lines {
    fn name(&self) -> &str {
        "lines"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        // Distinct texts have the same lines.
        Ok(Folding::single(Union))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "lines"), DataType::Utf8, true))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Folding::grouped(Union))
    }
}

#[derive(Debug)]
struct Union;

/// `None` before the first text, which may be empty.
type Known = Option<BTreeSet<String>>;

impl Fold for Union {
    type Group = Known;
    const RETRACTS: bool = false;

    fn update(&self, rows: &Rows<'_>, values: &[ArrayRef], _times: i64, groups: &mut [Known]) -> Result<()> {
        let texts = values[0].as_string::<i32>();
        for (row, group) in rows.each().filter(|(row, _)| texts.is_valid(*row)) {
            let known = groups[group].get_or_insert_default();
            for line in texts.value(row).split('\n').filter(|line| !known.contains(*line)).collect::<Vec<_>>() {
                known.insert(line.to_owned());
            }
        }
        Ok(())
    }

    fn merge(&self, rows: &Rows<'_>, states: &[ArrayRef], groups: &mut [Known]) -> Result<()> {
        self.update(rows, states, 1, groups)
    }

    fn state(&self, groups: &[Known]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.finish(groups)?])
    }

    fn finish(&self, groups: &[Known]) -> Result<ArrayRef> {
        let joined = |known: &BTreeSet<String>| known.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        Ok(Arc::new(groups.iter().map(|known| known.as_ref().map(joined)).collect::<StringArray>()))
    }

    fn heap_bytes(group: &Known) -> usize {
        group.iter().flatten().map(|line| line.capacity() + size_of::<String>()).sum()
    }
}
