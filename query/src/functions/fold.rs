//! One shape for our aggregates: what a group keeps and how rows, states and results move in and out of it. From it
//! come both of DataFusion's accumulators, the one for a single group and the one for many.

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

/// Adds up groups of rows.
pub(crate) trait Fold: Send + Sync + std::fmt::Debug + 'static {
    /// What is kept of a group; the default is that of no row.
    type Group: Default + Send + Sync + std::fmt::Debug + 'static;

    /// Adds rows to groups, each of them `times` times.
    fn update(&self, rows: &Rows<'_>, values: &[ArrayRef], times: i64, groups: &mut [Self::Group]) -> Result<()>;

    /// Adds states to groups.
    fn merge(&self, rows: &Rows<'_>, states: &[ArrayRef], groups: &mut [Self::Group]) -> Result<()>;

    /// What `merge` reads: one row a group.
    fn state(&self, groups: &[Self::Group]) -> Result<Vec<ArrayRef>>;

    /// The results: one row a group.
    fn finish(&self, groups: &[Self::Group]) -> Result<ArrayRef>;

    /// Bytes that a group has on the heap.
    fn heap_bytes(group: &Self::Group) -> usize;

    /// Whether rows can be added a negative number of times.
    const RETRACTS: bool;
}

/// Which rows count, and for which group.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    groups: Option<&'a [usize]>,
    filter: Option<&'a BooleanArray>,
    count: usize,
}

impl Rows<'_> {
    /// `(row, group)` of the rows that pass the filter.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, usize)> {
        let passes = |row: &usize| self.filter.is_none_or(|filter| filter.is_valid(*row) && filter.value(*row));
        (0..self.count).filter(passes).map(|row| (row, self.groups.map_or(0, |groups| groups[row])))
    }
}

/// A fold and its groups.
#[derive(Debug)]
pub(crate) struct Folding<F: Fold> {
    fold: F,
    groups: Vec<F::Group>,
}

impl<F: Fold> Folding<F> {
    /// One group.
    pub(crate) fn single(fold: F) -> Box<dyn Accumulator> {
        Box::new(Folding { fold, groups: vec![F::Group::default()] })
    }

    /// As many groups as turn up.
    pub(crate) fn grouped(fold: F) -> Box<dyn GroupsAccumulator> {
        Box::new(Folding { fold, groups: Vec::new() })
    }

    fn bytes(&self) -> usize {
        let heap: usize = self.groups.iter().map(F::heap_bytes).sum();
        size_of_val(self) + self.groups.capacity() * size_of::<F::Group>() + heap
    }

    fn all(values: &[ArrayRef]) -> Rows<'static> {
        Rows { groups: None, filter: None, count: values.first().map_or(0, |array| array.len()) }
    }
}

impl<F: Fold> Accumulator for Folding<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.fold.update(&Self::all(values), values, 1, &mut self.groups)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.fold.merge(&Self::all(states), states, &mut self.groups)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.fold.state(&self.groups)?.iter().map(|array| ScalarValue::try_from_array(array, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&self.fold.finish(&self.groups)?, 0)
    }

    fn size(&self) -> usize {
        self.bytes()
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if !F::RETRACTS {
            return Err(DataFusionError::NotImplemented("this aggregate has no sliding frames".into()));
        }
        self.fold.update(&Self::all(values), values, -1, &mut self.groups)
    }

    fn supports_retract_batch(&self) -> bool {
        F::RETRACTS
    }
}

impl<F: Fold> GroupsAccumulator for Folding<F> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, F::Group::default);
        let rows = Rows { groups: Some(group_indices), filter: opt_filter, count: group_indices.len() };
        self.fold.update(&rows, values, 1, &mut self.groups)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.groups.resize_with(total_num_groups, F::Group::default);
        let rows = Rows { groups: Some(group_indices), filter: None, count: group_indices.len() };
        self.fold.merge(&rows, states, &mut self.groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = emit_to.take_needed(&mut self.groups);
        self.fold.finish(&groups)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.groups);
        self.fold.state(&groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let count = values.first().map_or(0, |array| array.len());
        let own: Vec<usize> = (0..count).collect();
        let mut groups: Vec<F::Group> = std::iter::repeat_with(F::Group::default).take(count).collect();
        let rows = Rows { groups: Some(&own), filter: opt_filter, count };
        self.fold.update(&rows, values, 1, &mut groups)?;
        self.fold.state(&groups)
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}
