//! From the plan as written to the plan that both ways of running share: outer joins filled, `now()` a parameter,
//! optimised. Everything after this works on the same plan, which is why both ways give the same answer.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::JoinType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::functions::core::coalesce;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::scalar::ScalarValue;
use watershed_model::DataType as ModelType;

use crate::metadata::Spans;
use crate::script::Catalog;

/// The parameter that stands for `now()`.
const NOW: &str = "$now";

/// The shared plan of a table.
pub(crate) fn prepare(catalog: &Catalog, plan: &LogicalPlan, spans: Spans) -> Result<LogicalPlan, DataFusionError> {
    let plan = plan.clone().transform_up_with_subqueries(fill_outer_join)?.data;
    let plan = crate::metadata::join_facts(catalog, plan, spans)?;
    let plan = plan.transform_up_with_subqueries(parametrise_now)?.data;
    let plan = catalog.context.state().optimize(&plan)?;
    let plan = crate::hoist::above_groups(plan)?;
    crate::preaggregate::push_below_joins(catalog, plan)
}

/// Whether an expression is `now()` itself.
pub(crate) fn is_now(expression: &Expr) -> bool {
    matches!(expression, Expr::Placeholder(placeholder) if placeholder.id == NOW)
}

/// Whether `now()` is anywhere in an expression.
pub(crate) fn has_now(expression: &Expr) -> bool {
    expression.exists(|inner| Ok(is_now(inner))).unwrap_or(true)
}

/// The plan with `now()` as a literal.
pub(crate) fn bind_now(plan: LogicalPlan, now_ns: i64) -> Result<LogicalPlan, DataFusionError> {
    let literal = time_literal(now_ns);
    let bind = |node: LogicalPlan| {
        // Columns keep the names that the query gave them; joins and filters have none of their own.
        let named = matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_));
        node.map_expressions(|expression| {
            let name = expression.name_for_alias()?;
            let bound = expression.transform_up(|inner| {
                Ok(if is_now(&inner) { Transformed::yes(literal.clone()) } else { Transformed::no(inner) })
            })?;
            if bound.transformed && named {
                return Ok(Transformed::yes(bound.data.alias_if_changed(name)?));
            }
            Ok(bound)
        })
    };
    Ok(plan.transform_up_with_subqueries(bind)?.data)
}

/// A time as a literal of the type that `time_` has.
pub(crate) fn time_literal(nanoseconds: i64) -> Expr {
    Expr::Literal(ScalarValue::TimestampNanosecond(Some(nanoseconds), Some("+00:00".into())), None)
}

fn parametrise_now(node: LogicalPlan) -> Result<Transformed<LogicalPlan>, DataFusionError> {
    let named = matches!(node, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_));
    let changed = node.map_expressions(|expression| {
        let name = expression.name_for_alias()?;
        let replaced = expression.transform_up(|inner| match inner {
            Expr::ScalarFunction(call) if call.func.name() == "now" => {
                let field = Field::new("now", DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())), false);
                Ok(Transformed::yes(Expr::Placeholder(Placeholder::new_with_field(
                    NOW.to_owned(),
                    Some(Arc::new(field)),
                ))))
            }
            other => Ok(Transformed::no(other)),
        })?;
        if replaced.transformed && named {
            return Ok(Transformed::yes(replaced.data.alias_if_changed(name)?));
        }
        Ok(replaced)
    })?;
    changed.map_data(LogicalPlan::recompute_schema)
}

/// Missing values of an outer join are empty, zero or false: tables have no NULL, and neither has what is made of them.
fn fill_outer_join(node: LogicalPlan) -> Result<Transformed<LogicalPlan>, DataFusionError> {
    let LogicalPlan::Join(join) = node else {
        return Transformed::no(node).map_data(LogicalPlan::recompute_schema);
    };
    let left_columns = join.left.schema().fields().len();
    let (fills_left, fills_right) = match join.join_type {
        JoinType::Left => (false, true),
        JoinType::Right => (true, false),
        JoinType::Full => (true, true),
        JoinType::Inner
        | JoinType::LeftSemi
        | JoinType::RightSemi
        | JoinType::LeftAnti
        | JoinType::RightAnti
        | JoinType::LeftMark
        | JoinType::RightMark => return Ok(Transformed::no(LogicalPlan::Join(join))),
    };
    let expressions: Vec<Expr> = join
        .schema
        .iter()
        .enumerate()
        .map(|(position, (qualifier, field))| {
            let column = Expr::Column((qualifier, field).into());
            let fills = if position < left_columns { fills_left } else { fills_right };
            match default_of(field.data_type()) {
                Some(value) if fills => coalesce()
                    .call(vec![column, Expr::Literal(value, None)])
                    .alias_qualified(qualifier.cloned(), field.name()),
                _ => column,
            }
        })
        .collect();
    let projection = Projection::try_new(expressions, Arc::new(LogicalPlan::Join(join)))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

pub(crate) fn default_of(data_type: &DataType) -> Option<ScalarValue> {
    if data_type == &DataType::Binary {
        return Some(ScalarValue::Binary(Some(Vec::new())));
    }
    match ModelType::of_arrow(data_type)? {
        ModelType::Uint128 => Some(ScalarValue::FixedSizeBinary(16, Some(vec![0; 16]))),
        ModelType::String => ScalarValue::from("").cast_to(data_type).ok(),
        ModelType::Boolean | ModelType::Int64 | ModelType::Float64 | ModelType::Time64Ns => {
            ScalarValue::new_zero(data_type).ok()
        }
    }
}
