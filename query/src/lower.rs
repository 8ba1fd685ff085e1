//! Plans to views: the part of a plan that can be kept up, or a refusal that says why not.
//! Covers filter, projection and group-by over one state table, and keyless aggregates over one event table.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use watershed_model::{Kind, tables};

use crate::execute::known_name;
use crate::script::{Catalog, ScriptTable};
use crate::view::{Aggregate, EventScan, Function, Map, Node, Operator, Reduce, StateScan, ViewPlan};

/// Why a script cannot be a view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {hint}")]
pub struct Refusal {
    /// What cannot be kept up.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal { reason: reason.into(), hint: "run it once with `watershed query`".into() }
}

/// The view that keeps the table's plan up.
pub fn lower(catalog: &Catalog, table: &ScriptTable) -> Result<ViewPlan, Refusal> {
    let state = catalog.context.state();
    let typed = state
        .analyzer()
        .execute_and_check(table.plan.clone(), state.config_options(), |_, _| {})
        .map_err(|error| refuse(error.strip_backtrace()))?;
    Ok(ViewPlan { root: node(&typed, false)?, key: None })
}

fn node(plan: &LogicalPlan, reduced: bool) -> Result<Node, Refusal> {
    let schema = Arc::new(plan.schema().as_arrow().clone());
    let operator = match plan {
        LogicalPlan::SubqueryAlias(alias) => return node(&alias.input, reduced),
        LogicalPlan::TableScan(scan) => {
            let table = tables::by_name(&known_name(&scan.table_name)).ok_or_else(|| refuse("unknown table"))?;
            let columns: Vec<usize> = (0..table.columns.len()).collect();
            match table.kind {
                Kind::State => Operator::State(StateScan { table: table.name, columns }),
                Kind::Event if reduced => {
                    let project = columns_of(plan.schema())?;
                    let map = Map { filter: None, project };
                    Operator::Events(EventScan { table: table.name, columns, map, window: None })
                }
                Kind::Event => {
                    return Err(Refusal {
                        reason: format!("rows of {} would be kept for ever", table.name),
                        hint: "bound it with WHERE time_ > now() - INTERVAL '5 minutes'".into(),
                    });
                }
            }
        }
        LogicalPlan::Filter(filter) => {
            let schema = filter.input.schema();
            let map = Map { filter: Some(physical(&filter.predicate, schema)?), project: columns_of(schema)? };
            Operator::Map { input: Box::new(node(&filter.input, reduced)?), map }
        }
        LogicalPlan::Projection(projection) => {
            let map = Map { filter: None, project: all(&projection.expr, projection.input.schema())? };
            Operator::Map { input: Box::new(node(&projection.input, reduced)?), map }
        }
        LogicalPlan::Aggregate(group) => {
            let input = group.input.schema();
            let keys = all(&group.group_expr, input)?;
            let types = group.schema.fields().iter().skip(keys.len()).map(|field| field.data_type().clone());
            let calls = group.aggr_expr.iter().zip(types);
            let aggregates = calls.map(|(call, data_type)| {
                let Expr::AggregateFunction(call) = call.clone().unalias() else {
                    return Err(refuse("an aggregate that is no call"));
                };
                let function = match call.func.name() {
                    "count" => Function::Count,
                    "sum" if data_type == arrow::datatypes::DataType::Int64 => Function::Sum,
                    "min" => Function::Min,
                    "max" => Function::Max,
                    other => return Err(refuse(format!("{other} cannot be kept up"))),
                };
                if call.params.distinct || !call.params.order_by.is_empty() {
                    return Err(refuse("DISTINCT or ORDER BY in an aggregate cannot be kept up"));
                }
                let filter = call.params.filter.as_deref().map(|f| physical(f, input)).transpose()?;
                let arguments = all(&call.params.args, input)?;
                Ok(Aggregate { function, arguments, filter, data_type })
            });
            let aggregates = aggregates.collect::<Result<Vec<_>, _>>()?;
            let below = node(&group.input, keys.is_empty())?;
            Operator::Reduce { input: Box::new(below), reduce: Reduce { keys, aggregates } }
        }
        other => return Err(refuse(format!("{} cannot be kept up", other.display()))),
    };
    Ok(Node { operator, schema })
}

fn columns_of(schema: &DFSchema) -> Result<Vec<Arc<dyn PhysicalExpr>>, Refusal> {
    all(&schema.columns().into_iter().map(Expr::Column).collect::<Vec<_>>(), schema)
}

fn all(expressions: &[Expr], schema: &DFSchema) -> Result<Vec<Arc<dyn PhysicalExpr>>, Refusal> {
    expressions.iter().map(|expression| physical(expression, schema)).collect()
}

fn physical(expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>, Refusal> {
    if expression.to_string().contains("now()") {
        return Err(refuse("now() outside of a window cannot be kept up"));
    }
    create_physical_expr(expression, schema, &ExecutionProps::new(), &Default::default())
        .map_err(|error| refuse(error.strip_backtrace()))
}
