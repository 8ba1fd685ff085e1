//! `now()` as a value: a column beside those of the rows, which are made anew at each tick.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter};
use watershed_model::DataType;

use super::{Refusal, all, physical, refuse};
use crate::prepare::{has_now, is_now};
use crate::view::{Map, Node, Operator};
use crate::window;

/// What the column is called; no table has it.
const NOW: &str = "__now";

/// Filters and projects rows by what the time is.
pub(super) fn map(input: Node, schema: &DFSchema, filter: Option<Expr>, project: &[Expr]) -> Result<Operator, Refusal> {
    let seen = with_now(schema)?;
    let filter = filter.map(|filter| physical(&replaced(filter)?, &seen)).transpose()?;
    let project = all(&of_column(project)?, &seen)?;
    Ok(Operator::Clocked { input: Box::new(input), map: Map { filter, project } })
}

/// The rows for which a condition is true, if there is one; `schema` is theirs.
pub(super) fn filter(input: Node, schema: &DFSchema, condition: Option<Expr>) -> Result<Operator, Refusal> {
    let Some(condition) = condition else { return Ok(input.operator) };
    let columns: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    map(input, schema, Some(condition), &columns)
}

/// Rows with the time as one more column.
pub(super) fn seen(input: Node, schema: &DFSchema) -> Result<Node, Refusal> {
    let made = with_now(schema)?;
    let columns: Vec<Expr> = made.columns().into_iter().map(Expr::Column).collect();
    let operator = map(input, schema, None, &columns)?;
    Ok(Node { operator, schema: Arc::new(made.as_arrow().clone()) })
}

/// What of a condition is without the time, and what is not.
pub(super) fn split(condition: Option<Expr>) -> (Option<Expr>, Option<Expr>) {
    let conjuncts = condition.into_iter().flat_map(split_conjunction_owned);
    let (timed, timeless): (Vec<_>, Vec<_>) = conjuncts.partition(has_now);
    (conjunction(timeless), conjunction(timed))
}

/// Whether rows come and go through a filter as time goes by, other than by a window.
pub(super) fn is_timed(filter: &Filter) -> bool {
    if window::event_scan(&filter.input).is_none() {
        return has_now(&filter.predicate);
    }
    window::split(&filter.predicate).1.is_some_and(|rest| has_now(&rest))
}

/// The columns of rows, and the time.
pub(super) fn with_now(schema: &DFSchema) -> Result<DFSchema, Refusal> {
    let now = Field::new(NOW, DataType::Time64Ns.arrow(), false);
    let now = DFSchema::from_unqualified_fields(vec![now].into(), HashMap::new());
    now.and_then(|now| schema.join(&now)).map_err(|error| refuse(error.strip_backtrace()))
}

/// Expressions with the column in place of `now()`.
pub(super) fn of_column(expressions: &[Expr]) -> Result<Vec<Expr>, Refusal> {
    expressions.iter().cloned().map(replaced).collect()
}

fn replaced(expression: Expr) -> Result<Expr, Refusal> {
    let column = |part: Expr| {
        Ok(if is_now(&part) {
            Transformed::yes(Expr::Column(Column::new_unqualified(NOW)))
        } else {
            Transformed::no(part)
        })
    };
    let done = expression.transform_up(column).map_err(|error| refuse(error.strip_backtrace()))?;
    Ok(done.data)
}
