//! `pprof` as two group-bys: counts by stack, then the lines of a group. Both can be kept up.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Expr, LogicalPlan, LogicalPlanBuilder, Operator, binary_expr, cast, col, lit, when,
};

use super::Meaning;
use super::expand::meaning_of;

/// The call of `pprof`, if the group-by has one.
///
/// # Errors
/// When there are other aggregates beside it.
pub(super) fn call_of(group: &Aggregate) -> Result<Option<&AggregateFunction>> {
    let mut calls = group.aggr_expr.iter().filter_map(meaning_of);
    let Some((_, call)) = calls.find(|(meaning, _)| *meaning == Meaning::Stacks) else { return Ok(None) };
    if group.aggr_expr.len() > 1 {
        return Err(DataFusionError::Plan(
            "px_pprof stands alone in its group-by; make the other aggregates in a second one, and join the two".into(),
        ));
    }
    Ok(Some(call))
}

/// The group-by with folded stacks in place of the call.
pub(super) fn folded(
    group: &Aggregate,
    call: &AggregateFunction,
    sum: &Arc<AggregateUDF>,
    lines: &Arc<AggregateUDF>,
) -> Result<LogicalPlan> {
    let [stack, count, _period] = call.params.args.as_slice() else {
        return Err(DataFusionError::Internal("pprof takes three arguments".into()));
    };
    let counted = match &call.params.filter {
        Some(filter) => when(filter.as_ref().clone(), count.clone()).end()?,
        None => count.clone(),
    };
    let fields: Vec<_> = group.schema.iter().collect();
    let Some(((qualifier, result), keys)) = fields.split_last() else {
        return Err(DataFusionError::Internal("a group-by without a column".into()));
    };
    let named = group
        .group_expr
        .iter()
        .zip(keys)
        .map(|(key, (qualifier, field))| key.clone().unalias().alias_qualified(qualifier.cloned(), field.name()));
    let keys: Vec<Expr> = keys.iter().map(|(qualifier, field)| Expr::Column((*qualifier, *field).into())).collect();
    let with = |last: Vec<Expr>| keys.iter().cloned().chain(last);
    let rows = named.chain([stack.clone().alias(STACK), counted.alias(COUNT)]);
    let total = sum.call(vec![col(COUNT)]);
    let line = |total: &Expr| {
        let count = cast(Expr::Column(Column::from_name(total.schema_name().to_string())), DataType::Utf8);
        let concat = |left, right| binary_expr(left, Operator::StringConcat, right);
        concat(concat(col(STACK), lit(" ")), count).alias(LINE)
    };
    let all = lines.call(vec![col(LINE)]);
    let shown = Expr::Column(Column::from_name(all.schema_name().to_string()));
    LogicalPlanBuilder::from(Arc::clone(&group.input))
        .project(rows)?
        .aggregate(with(vec![col(STACK)]), [total.clone()])?
        .project(with(vec![line(&total)]))?
        .aggregate(keys.clone(), [all])?
        .project(with(vec![shown.alias_qualified(qualifier.cloned(), result.name())]))?
        .build()
}

const STACK: &str = "px__stack";
const COUNT: &str = "px__count";
const LINE: &str = "px__line";
