//! Group-bys above joins, summed up below them first: names are joined to a few sums instead of to every row, so a name
//! that comes late corrects one sum, and a view keeps sums rather than rows.
//!
//! It holds for every join whose other side adds columns or chooses rows: each sum meets the same rows of the other
//! side as all the rows that it stands for.

mod flatten;
mod partials;

use std::collections::BTreeSet;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::prelude::ident;

use crate::prepare::has_now;
use crate::script::Catalog;
use flatten::{Flat, Step, is_right};
use partials::Partials;

/// Sums up below joins wherever a group-by allows it.
pub(crate) fn push_below_joins(catalog: &Catalog, plan: LogicalPlan) -> Result<LogicalPlan> {
    let pushed = plan.transform_up(|node| {
        let LogicalPlan::Aggregate(group) = &node else { return Ok(Transformed::no(node)) };
        Ok(match pushed(catalog, group)? {
            Some(better) => Transformed::yes(better),
            None => Transformed::no(node),
        })
    })?;
    if pushed.transformed { pushed.data.recompute_schema() } else { Ok(pushed.data) }
}

fn pushed(catalog: &Catalog, group: &Aggregate) -> Result<Option<LogicalPlan>> {
    let set = |key: &Expr| matches!(key, Expr::GroupingSet(_));
    if group.group_expr.is_empty() || group.group_expr.iter().any(set) {
        return Ok(None);
    }
    let Some(flat) = Flat::of(&group.input)? else { return Ok(None) };
    let mut keys = Vec::with_capacity(group.group_expr.len());
    for key in &group.group_expr {
        keys.push(flat.in_leaves(key)?);
    }
    let Some(partials) = Partials::of(catalog, group, &flat)? else { return Ok(None) };
    let steps: Vec<&Expr> = flat.steps.iter().flat_map(Step::expressions).collect();
    let unfit = |e: &Expr| e.is_volatile() || has_now(e);
    if keys.iter().chain(steps.iter().copied()).chain(partials.arguments()).any(unfit) {
        return Ok(None);
    }
    let mut groups = Groups::default();
    let keys = keys.into_iter().map(|key| groups.outside(key)).collect::<Result<Vec<_>>>()?;
    let steps = flat.steps.into_iter().map(|step| groups.step(step)).collect::<Result<Vec<_>>>()?;
    if groups.0.iter().any(|group| matches!(group, Expr::Column(column) if column.name == "time_")) {
        return Ok(None);
    }
    let below = below(flat.base, &groups.0, &partials)?;
    let wanted = columns_of(keys.iter().chain(steps.iter().flat_map(Step::expressions)))?;
    let joined = steps.into_iter().try_fold(below, |plan, step| step.put_above(plan, &wanted))?;
    above(group, joined, keys, &partials).map(Some)
}

/// What rows are grouped by below the joins, each once.
#[derive(Default)]
struct Groups(Vec<Expr>);

impl Groups {
    /// The expression over groups and the columns of the other sides.
    fn outside(&mut self, expression: Expr) -> Result<Expr> {
        let outside = expression.transform_down(|inner| {
            let columns = inner.column_refs();
            if columns.is_empty() || columns.iter().any(|column| is_right(column)) {
                // Behind a condition only what needs no evaluation is grouped by: it may guard the rest.
                return Ok(match inner {
                    Expr::Case(_) => Transformed::new(
                        inner.transform_down(|part| Ok(self.column(part)))?.data,
                        true,
                        TreeNodeRecursion::Jump,
                    ),
                    other => Transformed::no(other),
                });
            }
            Ok(Transformed::new(self.name(inner), true, TreeNodeRecursion::Jump))
        })?;
        Ok(outside.data)
    }

    /// A step over groups.
    fn step(&mut self, step: Step) -> Result<Step> {
        let mut step = step.map(|expression| self.outside(expression))?;
        if let Step::Join { on, .. } = &mut step {
            // A join has no key that is of neither side, so a constant is a group.
            for (left, _) in on.iter_mut().filter(|(left, _)| left.column_refs().is_empty()) {
                *left = self.name(left.clone());
            }
        }
        Ok(step)
    }

    fn column(&mut self, part: Expr) -> Transformed<Expr> {
        match &part {
            Expr::Column(column) if !is_right(column) && !column.name.starts_with("__group_") => {
                Transformed::yes(self.name(part))
            }
            _ => Transformed::no(part),
        }
    }

    fn name(&mut self, expression: Expr) -> Expr {
        let expression = expression.unalias();
        let at = self.0.iter().position(|known| *known == expression).unwrap_or_else(|| {
            self.0.push(expression);
            self.0.len() - 1
        });
        ident(format!("__group_{at}"))
    }
}

fn columns_of<'a>(expressions: impl Iterator<Item = &'a Expr>) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for expression in expressions {
        names.extend(expression.column_refs().into_iter().map(|column| column.name.clone()));
    }
    Ok(names)
}

/// The sums of the rows below the joins.
fn below(base: LogicalPlan, groups: &[Expr], partials: &Partials) -> Result<LogicalPlan> {
    // Named by position: what differs only by a cast has one name.
    let named = |parts: &[Expr], name: fn(usize) -> String| -> Vec<Expr> {
        parts.iter().enumerate().map(|(at, part)| part.clone().alias(name(at))).collect()
    };
    let groups = named(groups, |at| format!("__group_{at}"));
    LogicalPlanBuilder::from(base).aggregate(groups, named(&partials.below, partials::name))?.build()
}

/// The group-by over joined sums, with the columns that it had.
fn above(group: &Aggregate, joined: LogicalPlan, keys: Vec<Expr>, partials: &Partials) -> Result<LogicalPlan> {
    let count = keys.len();
    let grouped = LogicalPlanBuilder::from(joined).aggregate(keys, partials.above.clone())?.build()?;
    let made = grouped.schema().columns();
    let finished = made[..count].iter().cloned().map(Expr::Column).chain(partials.finished(&made[count..])?);
    let mut shown = Vec::with_capacity(group.schema.fields().len());
    for ((qualifier, field), expression) in group.schema.iter().zip(finished) {
        let expression = match datafusion::logical_expr::ExprSchemable::get_type(&expression, grouped.schema())? {
            same if same == *field.data_type() => expression,
            _ => cast(expression, field.data_type().clone()),
        };
        shown.push(expression.alias_qualified(qualifier.cloned(), field.name()));
    }
    LogicalPlanBuilder::from(grouped).project(shown)?.build()
}

/// Whether a name is one that this rule gives.
pub(super) fn own(column: &Column, prefix: &str) -> bool {
    column.relation.is_none() && column.name.starts_with(prefix)
}
