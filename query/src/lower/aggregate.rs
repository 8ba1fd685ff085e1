//! Group-bys: which aggregates stay correct under retraction, and whether their groups are bounded.

use std::sync::Arc;

use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate as Group, Expr, LogicalPlan};

use super::{Above, Refusal, all, clock, node, physical, refuse, span};
use crate::functions::quantile_of;
use crate::meaning::is_enumeration;
use crate::prepare::has_now;
use crate::view::{Aggregate, Function, Operator, Reduce};

pub(super) fn lower(group: &Group) -> Result<Operator, Refusal> {
    if group.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_))) {
        return Err(refuse("GROUPING SETS, CUBE and ROLLUP cannot be kept up"));
    }
    let timed = group.group_expr.iter().chain(&group.aggr_expr).any(has_now);
    let seen = if timed { Arc::new(clock::with_now(group.input.schema())?) } else { Arc::clone(group.input.schema()) };
    let (group_expr, aggr_expr) = (clock::of_column(&group.group_expr)?, clock::of_column(&group.aggr_expr)?);
    let input = seen.as_ref();
    let keys = all(&group_expr, input)?;
    let types = group.schema.fields().iter().skip(keys.len()).map(|field| field.data_type().clone());
    let aggregates = aggr_expr.iter().zip(types).map(|(call, data_type)| {
        let Expr::AggregateFunction(call) = call.clone().unalias() else {
            return Err(refuse("an aggregate that is no call"));
        };
        let (function, arguments) = function_of(&call)?;
        let filter = call.params.filter.as_deref().map(|filter| physical(filter, input)).transpose()?;
        Ok(Aggregate { function, arguments: all(arguments, input)?, filter, data_type })
    });
    let aggregates = aggregates.collect::<Result<Vec<_>, _>>()?;
    let bounded = !timed && group.group_expr.iter().all(|key| is_enumeration(key, &group.input));
    let above = if bounded && is_linear(&group.input) { Above::BoundedGroups } else { Above::Rows };
    let mut below = node(&group.input, above)?;
    if timed {
        below = clock::seen(below, group.input.schema())?;
    }
    let span = span::of(&keys, &below);
    Ok(Operator::Reduce { input: Box::new(below), reduce: Reduce { keys, aggregates, span } })
}

/// Whether nothing below keeps rows on its own, so that a bounded number of groups bounds it all.
fn is_linear(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Filter(filter) => !clock::is_timed(filter) && is_linear(&filter.input),
        LogicalPlan::Projection(projection) => !projection.expr.iter().any(has_now) && is_linear(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_linear(&alias.input),
        LogicalPlan::Union(union) => union.inputs.iter().all(|input| is_linear(input)),
        _ => false,
    }
}

fn function_of(call: &AggregateFunction) -> Result<(Function, &[Expr]), Refusal> {
    let name = call.func.name();
    if let (Some(quantile), false) = (quantile_of(call), call.params.distinct) {
        return Ok((Function::Quantile(quantile), &call.params.args[..1]));
    }
    if call.params.distinct && !matches!(name, "min" | "max" | "lines") {
        return Err(refuse(format!("{name}(DISTINCT …) beside other aggregates cannot be kept up")));
    }
    if !call.params.order_by.is_empty() {
        return Err(refuse(format!("{name} with ORDER BY cannot be kept up")));
    }
    let arguments = call.params.args.as_slice();
    let function = match (name, arguments) {
        // `count(*)` is planned as the count of a constant.
        ("count", [Expr::Literal(value, _)]) if !value.is_null() => return Ok((Function::Count, &[])),
        ("count", [_]) => Function::Count,
        ("sum", [_]) => Function::Sum,
        ("avg", [_]) => Function::Avg,
        ("min", [_]) => Function::Min,
        ("max", [_]) => Function::Max,
        ("last", [_, _]) => Function::Last,
        ("lines", [_]) => Function::Lines,
        ("histogram", [_]) => Function::Histogram,
        ("merge_histogram", [_]) => Function::MergeHistogram,
        ("median" | "percentile_cont", _) => {
            return Err(Refusal {
                reason: format!("{name} is exact, which needs every value"),
                hint: "use quantile(x, 0.5), which is within 1.6 %".into(),
            });
        }
        _ => return Err(refuse(format!("{name} cannot be kept up"))),
    };
    Ok((function, arguments))
}
