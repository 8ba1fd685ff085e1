//! Expressions above a chain of maps, as expressions over the columns of the table itself: what is the same in several
//! views looks the same then.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, cast};
use datafusion::physical_expr::utils::collect_columns;
use watershed_query::view::{Map, column};

type Expression = Arc<dyn PhysicalExpr>;

/// A chain of maps and what is evaluated above it, over a table's columns.
pub(super) struct Inlined {
    /// Only rows for which all are true come through.
    pub(super) filters: Vec<Expression>,
    pub(super) outputs: Vec<Expression>,
}

impl Inlined {
    /// `columns` are those of the table that the first map sees.
    pub(super) fn of(
        table: &Schema,
        columns: &[usize],
        steps: &[(Map, SchemaRef)],
        outputs: &[Expression],
    ) -> Result<Self> {
        let mut inputs: Vec<Expression> = columns.iter().map(|at| column(table, *at)).collect();
        let mut filters = Vec::new();
        for (map, schema) in steps {
            let filter = map.filter.as_ref().map(|filter| over(filter, &inputs)).transpose()?;
            filters.extend(filter);
            let made = map.project.iter().zip(schema.fields());
            let made = made.map(|(made, field)| cast(over(made, &inputs)?, table, field.data_type().clone()));
            inputs = made.collect::<Result<_>>()?;
        }
        let outputs = outputs.iter().map(|output| over(output, &inputs)).collect::<Result<_>>()?;
        Ok(Inlined { filters, outputs })
    }
}

/// The expression with what its columns are made of in their place.
fn over(expression: &Expression, inputs: &[Expression]) -> Result<Expression> {
    let replaced = Arc::clone(expression).transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else { return Ok(Transformed::no(part)) };
        let missing = || DataFusionError::Internal(format!("there is no column {}", column.index()));
        Ok(Transformed::yes(Arc::clone(inputs.get(column.index()).ok_or_else(missing)?)))
    });
    replaced.map(|replaced| replaced.data)
}

/// Expressions over some of a table's columns: those that they read, ascending.
pub(super) struct Narrow {
    pub(super) columns: Vec<usize>,
    pub(super) expressions: Vec<Expression>,
}

impl Narrow {
    /// From expressions over all columns.
    pub(super) fn of(expressions: &[Expression]) -> Result<Self> {
        let read = expressions.iter().flat_map(collect_columns);
        let mut columns: Vec<usize> = read.map(|column| column.index()).collect();
        columns.sort_unstable();
        columns.dedup();
        let place = |expression: &Expression| {
            let placed = Arc::clone(expression).transform_up(|part| {
                let Some(column) = part.downcast_ref::<Column>() else { return Ok(Transformed::no(part)) };
                let at = columns.partition_point(|known| *known < column.index());
                Ok(Transformed::yes(Arc::new(Column::new(column.name(), at)) as Expression))
            });
            placed.map(|placed| placed.data)
        };
        let expressions = expressions.iter().map(place).collect::<Result<_>>()?;
        Ok(Narrow { columns, expressions })
    }
}
