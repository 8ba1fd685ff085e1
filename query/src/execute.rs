//! One execution of a script's table over a snapshot, by DataFusion itself.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::scalar::ScalarValue;
use watershed_model::{TickTime, tables};

use crate::render::render_columns;
use crate::script::{Catalog, ScriptTable};

/// The tables as they were at one time.
pub trait Snapshot: Send + Sync {
    /// What `now()` is.
    fn time(&self) -> TickTime;
    /// Rows in storage schema; a state table's rows are repeated by multiplicity.
    fn batches(&self, table: &str) -> Vec<RecordBatch>;
}

/// Why an execution failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct QueryError(#[from] DataFusionError);

/// Runs the plan over the snapshot, with `now()` at the snapshot's time.
pub async fn execute(
    catalog: &Catalog,
    table: &ScriptTable,
    snapshot: Arc<dyn Snapshot>,
) -> Result<Vec<RecordBatch>, QueryError> {
    let now = Expr::Literal(
        ScalarValue::TimestampNanosecond(Some(snapshot.time().as_nanoseconds()), Some("+00:00".into())),
        None,
    );
    let plan = table.plan.clone().transform_up_with_subqueries(|node| bind(node, &now, snapshot.as_ref()))?.data;
    Ok(catalog.context.execute_logical_plan(plan).await?.collect().await?)
}

fn bind(node: LogicalPlan, now: &Expr, snapshot: &dyn Snapshot) -> Result<Transformed<LogicalPlan>, DataFusionError> {
    if let LogicalPlan::TableScan(mut scan) = node {
        let Some(table) = tables::by_name(&known_name(&scan.table_name)) else {
            return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
        };
        let columns: Vec<usize> = (0..table.columns.len()).collect();
        let rows = snapshot
            .batches(table.name)
            .iter()
            .map(|batch| render_columns(table, batch, &columns))
            .collect::<Result<Vec<_>, _>>()?;
        scan.source = provider_as_source(Arc::new(MemTable::try_new(table.schema(), vec![rows])?));
        return Ok(Transformed::yes(LogicalPlan::TableScan(scan)));
    }
    node.map_expressions(|expression| {
        let name = expression.name_for_alias()?;
        let bound = expression.transform_up(|inner| match inner {
            Expr::ScalarFunction(call) if call.func.name() == "now" => {
                // The column keeps the name that the query gave it.
                Ok(Transformed::yes(now.clone()))
            }
            other => Ok(Transformed::no(other)),
        })?;
        if bound.transformed {
            return Ok(Transformed::yes(bound.data.alias_if_changed(name)?));
        }
        Ok(bound)
    })
}

pub(crate) fn known_name(name: &datafusion::common::TableReference) -> String {
    match name.schema() {
        Some(schema) if schema != "public" => format!("{schema}.{}", name.table()),
        _ => name.table().to_owned(),
    }
}
