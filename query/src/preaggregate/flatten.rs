//! A chain of joins, filters and projections over an event table, with all expressions over the leaves.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::ident;
use watershed_model::Kind;

use super::own;
use crate::window::table_of;

/// Names of columns of the other sides begin with it.
const RIGHT: &str = "__right_";

/// Name of a column of the other side of a step.
pub(super) fn right_name(step: usize, column: usize) -> String {
    format!("{RIGHT}{step}_{column}")
}

/// Whether a column is one of the other side of a join.
pub(super) fn is_right(column: &Column) -> bool {
    own(column, RIGHT)
}

/// What stands between the base and the group-by, lowest first.
pub(super) enum Step {
    /// A join whose left side is everything below.
    Join { kind: JoinType, right: Box<LogicalPlan>, number: usize, on: Vec<(Expr, Expr)>, filter: Option<Expr> },
    /// Rows that stay.
    Filter(Expr),
}

impl Step {
    /// Its expressions over everything below it.
    pub(super) fn expressions(&self) -> Vec<&Expr> {
        match self {
            Step::Join { on, filter, .. } => on.iter().map(|(left, _)| left).chain(filter).collect(),
            Step::Filter(predicate) => vec![predicate],
        }
    }

    pub(super) fn map(self, mut change: impl FnMut(Expr) -> Result<Expr>) -> Result<Step> {
        Ok(match self {
            Step::Join { kind, right, number, on, filter } => {
                let on = on.into_iter().map(|(left, right)| Ok((change(left)?, right))).collect::<Result<_>>()?;
                Step::Join { kind, right, number, on, filter: filter.map(change).transpose()? }
            }
            Step::Filter(predicate) => Step::Filter(change(predicate)?),
        })
    }

    /// The plan with this step above it; of the other side, the columns that are wanted.
    pub(super) fn put_above(self, plan: LogicalPlan, wanted: &BTreeSet<String>) -> Result<LogicalPlan> {
        let builder = LogicalPlanBuilder::from(plan);
        match self {
            Step::Filter(predicate) => builder.filter(predicate)?.build(),
            Step::Join { kind, right, number, on, filter } => {
                let (left_keys, right_keys): (Vec<_>, Vec<_>) = on.into_iter().unzip();
                let keys: BTreeSet<_> =
                    right_keys.iter().flat_map(|key| key.column_refs().into_iter().map(|c| c.name.clone())).collect();
                let columns = right.schema().columns().into_iter().enumerate();
                let named = columns.map(|(at, column)| (right_name(number, at), Expr::Column(column)));
                let shown = named.filter(|(name, _)| wanted.contains(name) || keys.contains(name));
                let shown: Vec<_> = shown.map(|(name, column)| column.alias(name)).collect();
                let right = LogicalPlanBuilder::from(*right).project(shown)?.build()?;
                builder.join_with_expr_keys(right, kind, (left_keys, right_keys), filter)?.build()
            }
        }
    }
}

/// A chain taken apart.
pub(super) struct Flat {
    /// What is below the lowest join: rows of event tables.
    pub(super) base: LogicalPlan,
    pub(super) steps: Vec<Step>,
    schema: DFSchemaRef,
    /// The top's columns over the leaves.
    columns: Vec<Expr>,
}

impl Flat {
    /// Takes a chain apart that has a join in it and reads event tables.
    pub(super) fn of(plan: &LogicalPlan) -> Result<Option<Flat>> {
        if has_join(plan) { chain(plan) } else { Ok(None) }
    }

    /// An expression over the top's columns, over the leaves.
    pub(super) fn in_leaves(&self, expression: &Expr) -> Result<Expr> {
        over(expression, &self.schema, &self.columns)
    }
}

/// An expression whose columns, those of a schema, are replaced by expressions.
fn over(expression: &Expr, schema: &DFSchema, columns: &[Expr]) -> Result<Expr> {
    let replaced = expression.clone().transform_up(|inner| match &inner {
        Expr::Column(column) => Ok(Transformed::yes(columns[schema.index_of_column(column)?].clone())),
        _ => Ok(Transformed::no(inner)),
    })?;
    Ok(replaced.data)
}

fn chain(plan: &LogicalPlan) -> Result<Option<Flat>> {
    if !has_join(plan) {
        let columns = plan.schema().columns().into_iter().map(Expr::Column).collect();
        let (base, schema) = (plan.clone(), plan.schema().clone());
        return Ok(is_events(plan).then_some(Flat { base, steps: Vec::new(), schema, columns }));
    }
    let Some(mut flat) = chain(plan.inputs()[0])? else { return Ok(None) };
    match plan {
        LogicalPlan::Projection(projection) => {
            let made = projection.expr.iter().map(|e| flat.in_leaves(&e.clone().unalias()));
            flat.columns = made.collect::<Result<_>>()?;
        }
        LogicalPlan::Filter(filter) => {
            let predicate = flat.in_leaves(&filter.predicate)?;
            flat.steps.push(Step::Filter(predicate));
        }
        LogicalPlan::Join(join) => {
            let adds = matches!(join.join_type, JoinType::Left | JoinType::Inner);
            if !(adds || matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)) || join.null_aware {
                return Ok(None);
            }
            join_step(&mut flat, join, adds)?;
        }
        _ => {}
    }
    flat.schema = plan.schema().clone();
    Ok(Some(flat))
}

fn join_step(flat: &mut Flat, join: &datafusion::logical_expr::Join, adds: bool) -> Result<()> {
    let number = flat.steps.len();
    let right = Box::new(join.right.as_ref().clone());
    let rights: Vec<Expr> = (0..right.schema().fields().len()).map(|at| ident(right_name(number, at))).collect();
    let on = join.on.iter().map(|(left, key)| Ok((flat.in_leaves(left)?, over(key, right.schema(), &rights)?)));
    let on = on.collect::<Result<Vec<_>>>()?;
    let condition = |filter: &Expr| {
        let columns: Vec<_> = flat.columns.iter().chain(&rights).cloned().collect();
        over(filter, &join.left.schema().join(right.schema())?, &columns)
    };
    let filter = join.filter.as_ref().map(condition).transpose()?;
    flat.steps.push(Step::Join { kind: join.join_type, right, number, on, filter });
    if adds {
        flat.columns.extend(rights);
    }
    Ok(())
}

fn has_join(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Join(_) => true,
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
            has_join(plan.inputs()[0])
        }
        _ => false,
    }
}

/// Rows of event tables as they come: sums of sums gain nothing.
fn is_events(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(scan) => table_of(scan).is_some_and(|table| table.kind == Kind::Event),
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
            is_events(plan.inputs()[0])
        }
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_events(input)),
        _ => false,
    }
}
