//! One execution of a script's table over a snapshot, by DataFusion itself.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampNanosecondType;
use datafusion::catalog::default_table_source::{provider_as_source, source_as_provider};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::MemTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Filter, LogicalPlan, LogicalPlanBuilder, TableScan, TableScanBuilder};
use watershed_model::{Kind, Table, TickTime};

use crate::metadata::Spans;
use crate::prepare::{bind_now, prepare};
use crate::render::render_columns;
use crate::script::{Catalog, ScriptTable};
use crate::view::Window;
use crate::window;

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
///
/// # Errors
/// What DataFusion says when an expression fails, such as a division by zero.
pub async fn execute(
    catalog: &Catalog,
    table: &ScriptTable,
    snapshot: Arc<dyn Snapshot>,
) -> Result<Vec<RecordBatch>, QueryError> {
    let now_ns = snapshot.time().as_nanoseconds();
    let plan = prepare(catalog, &table.plan, Spans::Joined)?;
    let plan = plan.transform_down_with_subqueries(|node| bind_windows(node, now_ns, snapshot.as_ref()))?.data;
    let plan = plan.transform_up_with_subqueries(|node| bind_scan(node, None, snapshot.as_ref()))?.data;
    let plan = bind_now(plan, now_ns)?;
    let plan = match table.rows_max {
        Some(rows_max) => LogicalPlanBuilder::from(plan).limit(0, Some(rows_max))?.build()?,
        None => plan,
    };
    Ok(catalog.context.execute_logical_plan(plan).await?.collect().await?)
}

/// The event tables that the plan reads, each with the time (ns) from which on it wants rows at `now`; `None` wants all.
///
/// # Errors
/// What DataFusion says when the plan cannot be prepared.
pub fn reads_since(
    catalog: &Catalog,
    table: &ScriptTable,
    now: TickTime,
) -> Result<Vec<(&'static str, Option<i64>)>, QueryError> {
    let mut reads = Vec::new();
    let plan = prepare(catalog, &table.plan, Spans::Joined)?;
    plan.transform_down_with_subqueries(|node| {
        let (scan, window) = match &node {
            LogicalPlan::Filter(filter) => {
                (window::event_scan(&filter.input).map(|(scan, _)| scan), window::split(&filter.predicate).0)
            }
            LogicalPlan::TableScan(scan) => (Some(scan), None),
            _ => (None, None),
        };
        let Some(table) = scan.and_then(window::table_of).filter(|table| table.kind == Kind::Event) else {
            return Ok(Transformed::no(node));
        };
        let age = window.as_ref().and_then(|window| window.age_ns);
        reads.push((table.name, age.map(|age| now.as_nanoseconds() - age)));
        // What is below the filter is its scan.
        Ok(Transformed::new(node, false, TreeNodeRecursion::Jump))
    })?;
    Ok(reads)
}

/// A filter over an event table: its window becomes the predicate of this `now`, and only rows that can be in it
/// are read.
fn bind_windows(
    node: LogicalPlan,
    now_ns: i64,
    snapshot: &dyn Snapshot,
) -> Result<Transformed<LogicalPlan>, DataFusionError> {
    let LogicalPlan::Filter(filter) = &node else { return Ok(Transformed::no(node)) };
    let Some((scan, _)) = window::event_scan(&filter.input) else { return Ok(Transformed::no(node)) };
    let (Some(window), rest) = window::split(&filter.predicate) else { return Ok(Transformed::no(node)) };
    let time = Column::new(Some(scan.table_name.clone()), "time_");
    let inside = window::predicate_at(&window, &time, now_ns);
    let Some(predicate) = conjunction(inside.into_iter().chain(rest)) else { return Ok(Transformed::no(node)) };
    let range = Some((window, now_ns));
    let scan = bind_scan(LogicalPlan::TableScan(scan.clone()), range, snapshot)?.data;
    Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(scan))?)))
}

/// A scan of the model's table becomes one of the snapshot's rows, rendered as far as the plan reads them.
fn bind_scan(
    node: LogicalPlan,
    range: Option<(Window, i64)>,
    snapshot: &dyn Snapshot,
) -> Result<Transformed<LogicalPlan>, DataFusionError> {
    let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
    // The catalog's tables are empty ones; others are bound already.
    if !(source_as_provider(&scan.source)?.as_ref() as &dyn Any).is::<EmptyTable>() {
        return Ok(Transformed::no(node));
    }
    let Some(table) = window::table_of(scan) else { return Ok(Transformed::no(node)) };
    let columns = columns_of(scan, table);
    let rows = snapshot
        .batches(table.name)
        .iter()
        .filter(|batch| range.is_none_or(|(window, now_ns)| can_be_inside(table, batch, &window, now_ns)))
        .map(|batch| render_columns(table, batch, &columns))
        .collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(table.schema().project(&columns)?);
    let source = provider_as_source(Arc::new(MemTable::try_new(schema, vec![rows])?));
    let bound = TableScanBuilder::new(scan.table_name.clone(), source).with_fetch(scan.fetch).build()?;
    Ok(Transformed::yes(LogicalPlan::TableScan(bound)))
}

/// Positions of the columns that a scan reads.
pub(crate) fn columns_of(scan: &TableScan, table: &Table) -> Vec<usize> {
    scan.projection.clone().unwrap_or_else(|| (0..table.columns.len()).collect())
}

/// Whether a batch of an event table has a row in the window, judged by its first and last time.
fn can_be_inside(table: &Table, batch: &RecordBatch, window: &Window, now_ns: i64) -> bool {
    debug_assert_eq!(table.kind, Kind::Event);
    let Some(times) = batch.columns().first().and_then(|times| times.as_primitive_opt::<TimestampNanosecondType>())
    else {
        return true;
    };
    if times.is_empty() {
        return false;
    }
    let stays = window.age_ns.is_none_or(|age| max(times).is_none_or(|last| last >= window.pane_of(now_ns - age)));
    let entered =
        window.delay_ns.is_none_or(|delay| min(times).is_none_or(|first| first < window.pane_of(now_ns - delay)));
    stays && entered
}

/// A table's name as the model knows it.
pub(crate) fn known_name(name: &TableReference) -> String {
    match name.schema() {
        Some(schema) if schema != "public" => format!("{schema}.{}", name.table()),
        _ => name.table().to_owned(),
    }
}
