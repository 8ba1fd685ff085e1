//! Conditions on the time that the optimiser pushed below a group-by, put above it again: then groups come and go as time
//! goes by, and not each of their rows.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, Projection, SubqueryAlias};

use crate::prepare::has_now;
use crate::window;

/// Stands for a key of the group-by while a condition is rewritten; no relation is called so.
const KEY: &str = "__group_key";

/// The plan with conditions on keys and the time above group-bys.
pub(crate) fn above_groups(plan: LogicalPlan) -> Result<LogicalPlan> {
    let hoisted = plan.transform_up(|node| {
        let LogicalPlan::Aggregate(group) = &node else { return Ok(Transformed::no(node)) };
        Ok(match hoisted(group)? {
            Some(better) => Transformed::yes(better),
            None => Transformed::no(node),
        })
    })?;
    Ok(hoisted.data)
}

fn hoisted(group: &Aggregate) -> Result<Option<LogicalPlan>> {
    let set = |key: &Expr| matches!(key, Expr::GroupingSet(_));
    if group.group_expr.is_empty() || group.group_expr.iter().any(set) {
        return Ok(None);
    }
    let keys: Vec<Expr> = group.group_expr.iter().map(|key| key.clone().unalias_nested().data).collect();
    let Some((input, conditions)) = without(&group.input, &keys)? else { return Ok(None) };
    let outputs = group.schema.columns();
    let over_outputs = |condition: Expr| {
        let renamed = condition.transform_up(|part| match &part {
            Expr::Column(column) => Ok(match position(column).and_then(|at| outputs.get(at)) {
                Some(output) => Transformed::yes(Expr::Column(output.clone())),
                None => Transformed::no(part),
            }),
            _ => Ok(Transformed::no(part)),
        });
        renamed.map(|renamed| renamed.data)
    };
    let conditions = conditions.into_iter().map(over_outputs).collect::<Result<Vec<_>>>()?;
    let Some(condition) = conjunction(conditions) else { return Ok(None) };
    let group = Aggregate::try_new_with_schema(
        Arc::new(input),
        group.group_expr.clone(),
        group.aggr_expr.clone(),
        Arc::clone(&group.schema),
    )?;
    let above = Filter::try_new(condition, Arc::new(LogicalPlan::Aggregate(group)))?;
    Ok(Some(LogicalPlan::Filter(above)))
}

/// The plan without its conditions on keys and the time, and those, over keys; `None` where there are none.
fn without(plan: &LogicalPlan, keys: &[Expr]) -> Result<Option<(LogicalPlan, Vec<Expr>)>> {
    match plan {
        LogicalPlan::Filter(filter) => {
            let (mut taken, mut rest) = (Vec::new(), Vec::new());
            for conjunct in split_conjunction_owned(filter.predicate.clone()) {
                match over_keys(filter, &conjunct, keys)? {
                    Some(over_keys) => taken.push(over_keys),
                    None => rest.push(conjunct),
                }
            }
            if taken.is_empty() {
                return Ok(None);
            }
            let left = match conjunction(rest) {
                Some(rest) => LogicalPlan::Filter(Filter::try_new(rest, Arc::clone(&filter.input))?),
                None => filter.input.as_ref().clone(),
            };
            Ok(Some((left, taken)))
        }
        LogicalPlan::Projection(projection) => {
            let made = |at: usize| projection.expr[at].clone().unalias_nested().data;
            let Some(keys) = resolved(keys, &projection.schema, made)? else { return Ok(None) };
            let Some((input, taken)) = without(&projection.input, &keys)? else { return Ok(None) };
            let schema = Arc::clone(&projection.schema);
            let above = Projection::try_new_with_schema(projection.expr.clone(), Arc::new(input), schema)?;
            Ok(Some((LogicalPlan::Projection(above), taken)))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let columns = alias.input.schema().columns();
            let made = |at: usize| Expr::Column(columns[at].clone());
            let Some(keys) = resolved(keys, &alias.schema, made)? else { return Ok(None) };
            let Some((input, taken)) = without(&alias.input, &keys)? else { return Ok(None) };
            let above = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
            Ok(Some((LogicalPlan::SubqueryAlias(above), taken)))
        }
        _ => Ok(None),
    }
}

/// Expressions over a schema as expressions over what its columns are made of.
fn resolved(keys: &[Expr], schema: &DFSchema, made: impl Fn(usize) -> Expr) -> Result<Option<Vec<Expr>>> {
    let mut known = true;
    let mut resolve = |key: &Expr| -> Result<Expr> {
        let resolved = key.clone().transform_down(|part| match &part {
            Expr::Column(column) => Ok(match schema.maybe_index_of_column(column) {
                Some(at) => Transformed::new(made(at), true, TreeNodeRecursion::Jump),
                None => {
                    known = false;
                    Transformed::no(part)
                }
            }),
            _ => Ok(Transformed::no(part)),
        })?;
        Ok(resolved.data)
    };
    let keys = keys.iter().map(&mut resolve).collect::<Result<Vec<_>>>()?;
    Ok(known.then_some(keys))
}

/// A condition over keys and the time, if it is one and no window.
fn over_keys(filter: &Filter, conjunct: &Expr, keys: &[Expr]) -> Result<Option<Expr>> {
    let is_window = window::event_scan(&filter.input).is_some() && window::split(conjunct).0.is_some();
    if is_window || !has_now(conjunct) {
        return Ok(None);
    }
    let replaced = conjunct.clone().transform_down(|part| {
        Ok(match keys.iter().position(|key| *key == part) {
            Some(at) => {
                let key = Expr::Column(Column::new(Some(KEY), at.to_string()));
                Transformed::new(key, true, TreeNodeRecursion::Jump)
            }
            None => Transformed::no(part),
        })
    })?;
    let over_keys = replaced.data.column_refs().iter().all(|column| position(column).is_some());
    Ok(over_keys.then_some(replaced.data))
}

/// Which key a column stands for.
fn position(column: &Column) -> Option<usize> {
    let stands = column.relation.as_ref().is_some_and(|relation| relation.table() == KEY);
    stands.then(|| column.name.parse().ok()).flatten()
}
