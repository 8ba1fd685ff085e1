//! What a lowered plan looks like from outside: its key, and projections that change nothing.

use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use crate::view::{Node, Operator};

/// Positions of the columns that tell a view's rows apart, where there are some.
pub(super) fn key_of(node: &Node) -> Option<Vec<usize>> {
    match &node.operator {
        Operator::Reduce { reduce, .. } => Some((0..reduce.keys.len()).collect()),
        Operator::Map { input, map } | Operator::Clocked { input, map } => {
            let shown_at = |key: &usize| map.project.iter().position(|shown| column_of(shown) == Some(*key));
            key_of(input)?.iter().map(shown_at).collect()
        }
        Operator::TopK { input, .. } => key_of(input),
        Operator::Distinct(_) => Some((0..node.schema.fields().len()).collect()),
        Operator::Events(_)
        | Operator::State(_)
        | Operator::Constant(_)
        | Operator::Join { .. }
        | Operator::Named { .. }
        | Operator::Keys
        | Operator::Union(_) => None,
    }
}

/// Whether a projection gives the columns as they are.
pub(super) fn is_identity(project: &[Arc<dyn PhysicalExpr>]) -> bool {
    project.iter().enumerate().all(|(position, expression)| column_of(expression) == Some(position))
}

/// The column that an expression gives as it is.
pub(super) fn column_of(expression: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let expression: &dyn std::any::Any = expression.as_ref();
    expression.downcast_ref::<Column>().map(Column::index)
}
