//! What a plan's columns mean to users: types and semantics followed back to the tables that they come from.

use datafusion::common::Column;
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan};
use watershed_model::{self as model, DataType, Pattern, Semantic};

use crate::script::OutputColumn;
use crate::window::table_of;

/// Name, type and meaning of every column of a plan.
pub(crate) fn columns_of(plan: &LogicalPlan) -> Vec<OutputColumn> {
    let schema = plan.schema();
    (0..schema.fields().len())
        .map(|position| {
            let field = schema.field(position);
            OutputColumn {
                name: field.name().clone(),
                data_type: DataType::of_arrow(field.data_type()).map_or("BINARY", DataType::name),
                semantic: semantic_at(plan, position),
            }
        })
        .collect()
}

/// Whether an expression over a plan can only have a small set of values: constants, truth values and what is made of
/// enumerations alone.
pub(crate) fn is_enumeration(expression: &Expr, input: &LogicalPlan) -> bool {
    match expression {
        Expr::Literal(..) => true,
        Expr::Alias(alias) => is_enumeration(&alias.expr, input),
        _ => {
            let columns = expression.column_refs();
            let truth = expression
                .to_field(input.schema().as_ref())
                .is_ok_and(|(_, field)| field.data_type() == &arrow::datatypes::DataType::Boolean);
            truth || (!expression.is_volatile() && columns.iter().all(|column| column_is_enumeration(column, input)))
        }
    }
}

fn column_is_enumeration(column: &Column, plan: &LogicalPlan) -> bool {
    plan.schema()
        .maybe_index_of_column(column)
        .and_then(|position| origin(plan, position))
        .is_some_and(|column| column.pattern == Pattern::GeneralEnum || column.data_type == DataType::Boolean)
}

fn semantic_at(plan: &LogicalPlan, position: usize) -> Semantic {
    let known = || origin(plan, position).map_or(Semantic::None, |column| column.semantic);
    told_at(plan, position).unwrap_or_else(known)
}

/// What a metadata function tells, where a column is one.
fn told_at(plan: &LogicalPlan, position: usize) -> Option<Semantic> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => told_at(&alias.input, position),
        LogicalPlan::Filter(filter) => told_at(&filter.input, position),
        LogicalPlan::Sort(sort) => told_at(&sort.input, position),
        LogicalPlan::Limit(limit) => told_at(&limit.input, position),
        LogicalPlan::Projection(projection) => told_by(projection.expr.get(position)?, &projection.input),
        LogicalPlan::Aggregate(group) => told_by(group.group_expr.get(position)?, &group.input),
        _ => None,
    }
}

fn told_by(expression: &Expr, input: &LogicalPlan) -> Option<Semantic> {
    match expression {
        Expr::Alias(alias) => told_by(&alias.expr, input),
        Expr::Column(column) => told_at(input, input.schema().maybe_index_of_column(column)?),
        Expr::Case(case) => told_by(case.else_expr.as_ref()?, input),
        Expr::ScalarFunction(call) => {
            let told = call.func.name().rsplit_once("_to_")?.1;
            Some(match told {
                "pod_name" => Semantic::PodName,
                "service_name" => Semantic::ServiceName,
                "namespace" => Semantic::NamespaceName,
                "node_name" => Semantic::NodeName,
                "container_name" => Semantic::ContainerName,
                _ => return None,
            })
        }
        _ => None,
    }
}

/// The table's column that a plan's column is, directly or by an aggregate that keeps its meaning.
fn origin(plan: &LogicalPlan, position: usize) -> Option<&'static model::Column> {
    match plan {
        LogicalPlan::TableScan(scan) => {
            let stored = scan.projection.as_ref().map_or(Some(position), |columns| columns.get(position).copied())?;
            table_of(scan)?.columns.get(stored)
        }
        LogicalPlan::SubqueryAlias(alias) => origin(&alias.input, position),
        LogicalPlan::Filter(filter) => origin(&filter.input, position),
        LogicalPlan::Sort(sort) => origin(&sort.input, position),
        LogicalPlan::Limit(limit) => origin(&limit.input, position),
        LogicalPlan::Union(union) => origin(union.inputs.first()?, position),
        LogicalPlan::Projection(projection) => of_expression(projection.expr.get(position)?, &projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            let expressions = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            of_expression(expressions.into_iter().nth(position)?, &aggregate.input)
        }
        LogicalPlan::Join(join) => {
            let left = join.left.schema().fields().len();
            if position < left { origin(&join.left, position) } else { origin(&join.right, position - left) }
        }
        _ => None,
    }
}

/// Aggregates and functions whose result means what their first argument means.
const KEEPS_MEANING: [&str; 14] = [
    "sum",
    "avg",
    "min",
    "max",
    "last",
    "quantile",
    "approx_percentile_cont",
    "approx_median",
    "median",
    "histogram",
    "merge_histogram",
    "histogram_quantile",
    "coalesce",
    "abs",
];

fn of_expression(expression: &Expr, input: &LogicalPlan) -> Option<&'static model::Column> {
    match expression {
        Expr::Column(column) => origin(input, input.schema().maybe_index_of_column(column)?),
        Expr::Alias(alias) => of_expression(&alias.expr, input),
        Expr::Cast(cast) => of_expression(&cast.expr, input),
        Expr::AggregateFunction(call) if KEEPS_MEANING.contains(&call.func.name()) => {
            of_expression(call.params.args.first()?, input)
        }
        Expr::ScalarFunction(call) if KEEPS_MEANING.contains(&call.func.name()) => {
            of_expression(call.args.first()?, input)
        }
        _ => None,
    }
}
