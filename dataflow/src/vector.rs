//! Vectorised evaluation of expressions, row by row only where a batch fails: a row whose evaluation fails is dropped
//! and counted, and it fails again when it is retracted, so results stay exact.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use watershed_query::view::Map;

use crate::codec::{batch_of, relaxed};
use crate::losses::Losses;

/// The values of an expression, one a row.
pub(crate) fn evaluate(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<ArrayRef> {
    expression.evaluate(batch)?.into_array(batch.num_rows())
}

/// Where an expression is true; NULL is not.
pub(crate) fn mask(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray> {
    let array = evaluate(expression, batch)?;
    let Some(mask) = array.as_boolean_opt() else {
        return Err(DataFusionError::Execution("a filter is not boolean".into()));
    };
    Ok(if mask.null_count() > 0 { prep_null_mask_filter(mask) } else { mask.clone() })
}

/// A chain of filters and projections, then expressions to evaluate.
pub(crate) struct Chain {
    steps: Vec<(Map, SchemaRef)>,
    outputs: Vec<Arc<dyn PhysicalExpr>>,
    /// Whose losses these are.
    owner: String,
    losses: Losses,
}

/// What a chain makes of a batch: its output arrays, and the position in the batch of each row that is left.
pub(crate) struct Evaluated {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) origins: UInt32Array,
}

impl Evaluated {
    pub(crate) fn len(&self) -> usize {
        self.origins.len()
    }
}

impl Chain {
    /// A chain of maps with the schemas that they make; without outputs, the columns of the last schema come out.
    pub(crate) fn new(
        steps: Vec<(Map, SchemaRef)>,
        outputs: Vec<Arc<dyn PhysicalExpr>>,
        owner: &str,
        losses: &Losses,
    ) -> Self {
        let steps = steps.into_iter().map(|(map, schema)| (map, relaxed(&schema))).collect();
        Chain { steps, outputs, owner: owner.to_owned(), losses: losses.clone() }
    }

    /// Runs the batch through; pieces come out in the order of rows.
    pub(crate) fn run(&self, batch: &RecordBatch) -> Vec<Evaluated> {
        let mut done = Vec::new();
        let mut waiting = vec![(0usize, batch.num_rows())];
        while let Some((start, length)) = waiting.pop() {
            if length == 0 {
                continue;
            }
            match self.attempt(&batch.slice(start, length), start) {
                Ok(evaluated) => done.push(evaluated),
                Err(_) if length == 1 => self.losses.add(&self.owner, "expression_error", 1, 0),
                Err(_) => {
                    let half = length / 2;
                    waiting.push((start + half, length - half));
                    waiting.push((start, half));
                }
            }
        }
        done
    }

    fn attempt(&self, batch: &RecordBatch, start: usize) -> Result<Evaluated> {
        let first = start as u32;
        let mut origins = UInt32Array::from_iter_values(first..first + batch.num_rows() as u32);
        let mut batch = batch.clone();
        for (map, schema) in &self.steps {
            if let Some(condition) = &map.filter {
                let mask = mask(condition, &batch)?;
                if mask.true_count() < mask.len() {
                    batch = filter_record_batch(&batch, &mask)?;
                    origins = filter(&origins, &mask)?.as_primitive().clone();
                }
            }
            let columns = map.project.iter().map(|e| evaluate(e, &batch)).collect::<Result<Vec<_>>>()?;
            let rows = batch.num_rows();
            batch = batch_of(schema, columns, rows)?;
        }
        let columns = if self.outputs.is_empty() {
            batch.columns().to_vec()
        } else {
            self.outputs.iter().map(|e| evaluate(e, &batch)).collect::<Result<Vec<_>>>()?
        };
        Ok(Evaluated { columns, origins })
    }
}
