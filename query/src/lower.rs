//! The shared plan to a view's plan, or a refusal that says why it cannot be kept up and what would mend that.

mod aggregate;
mod clock;
mod named;
mod shape;
mod span;

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{DFSchema, JoinType};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::{Expr, FetchType, LogicalPlan, SkipType};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use watershed_model::Kind;

use crate::execute::columns_of;
use crate::metadata::Spans;
use crate::prepare::{has_now, prepare};
use crate::script::{Catalog, ScriptTable};
use crate::view::{EventScan, Join, Map, Node, Operator, SortKey, StateScan, TopK, ViewPlan, Window};
use crate::window;

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
///
/// # Errors
/// A [`Refusal`] for what cannot be kept up incrementally in bounded memory.
pub fn lower(catalog: &Catalog, table: &ScriptTable) -> Result<ViewPlan, Refusal> {
    let mut root = lowered(catalog, table, Spans::Scanned)?;
    if span::is_left(&root) {
        root = lowered(catalog, table, Spans::Joined)?;
    }
    root = named::apart(root);
    // The optimiser may know better which columns can be NULL; names and order are the script's.
    root.schema = Arc::clone(&table.schema);
    Ok(ViewPlan { key: shape::key_of(&root), root })
}

fn lowered(catalog: &Catalog, table: &ScriptTable, spans: Spans) -> Result<Node, Refusal> {
    let plan = prepare(catalog, &table.plan, spans).map_err(|error| refuse(error.strip_backtrace()))?;
    node(&plan, Above::Rows)
}

/// What becomes of a node's rows, which decides whether they must be bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Above {
    /// They are kept, one by one or by a key that can have any number of values.
    Rows,
    /// They are summed up in a bounded number of groups.
    BoundedGroups,
}

fn node(plan: &LogicalPlan, above: Above) -> Result<Node, Refusal> {
    let schema = schema_of(plan);
    let operator = match plan {
        LogicalPlan::SubqueryAlias(alias) => return Ok(Node { schema, ..node(&alias.input, above)? }),
        LogicalPlan::TableScan(_) | LogicalPlan::Filter(_) | LogicalPlan::Projection(_) => {
            return rows(plan, above).map(|operator| Node { operator, schema });
        }
        LogicalPlan::Aggregate(group) => aggregate::lower(group)?,
        LogicalPlan::Distinct(_) => return Err(refuse("DISTINCT ON cannot be kept up")),
        LogicalPlan::Join(join) => self::join(join)?,
        LogicalPlan::Union(union) => {
            let inputs = union.inputs.iter().map(|input| node(input, above)).collect::<Result<_, _>>()?;
            Operator::Union(inputs)
        }
        LogicalPlan::Sort(sort) => match sort.fetch {
            // Without a limit, the order is presentation; a view is a set of rows.
            None => return node(&sort.input, above),
            Some(fetch) => top(&sort.input, &sort.expr, 0, fetch)?,
        },
        LogicalPlan::Limit(limit) => limited(limit, above)?,
        LogicalPlan::EmptyRelation(empty) => {
            let count = usize::from(empty.produce_one_row);
            Operator::Constant(rows_without_columns(&schema, count)?)
        }
        LogicalPlan::Values(values) => constant(values, &schema)?,
        LogicalPlan::Window(_) => return Err(refuse("a window function (OVER) cannot be kept up")),
        other => return Err(refuse(format!("{} cannot be kept up", other.display()))),
    };
    Ok(Node { operator, schema })
}

/// A scan with what is filtered and projected right above it, so that this is done on the table's batches.
fn rows(plan: &LogicalPlan, above: Above) -> Result<Operator, Refusal> {
    if let LogicalPlan::Projection(projection) = plan {
        if projection.expr.iter().any(has_now) {
            let input = node(&projection.input, Above::Rows)?;
            return clock::map(input, projection.input.schema(), None, &projection.expr);
        }
        let project = all(&projection.expr, projection.input.schema())?;
        return Ok(match node(&projection.input, above)?.operator {
            Operator::Events(mut scan) if shape::is_identity(&scan.map.project) => {
                scan.map.project = project;
                Operator::Events(scan)
            }
            operator => {
                let input = Node { operator, schema: schema_of(&projection.input) };
                Operator::Map { input: Box::new(input), map: Map { filter: None, project } }
            }
        });
    }
    if let LogicalPlan::Filter(filter) = plan {
        if let Some((scan, table)) = window::event_scan(&filter.input) {
            let (window, rest) = window::split(&filter.predicate);
            let (timeless, timed) = clock::split(rest);
            let columns = columns_of(scan, table);
            bounded(window, if timed.is_some() { Above::Rows } else { above }, table.name)?;
            let condition = timeless.map(|rest| physical(&rest, filter.input.schema())).transpose()?;
            let map = Map { filter: condition, project: columns_as_they_are(plan.schema())? };
            let scan = Operator::Events(EventScan { table: table.name, columns, map, window });
            return clock::filter(Node { operator: scan, schema: schema_of(plan) }, plan.schema(), timed);
        }
        let (timeless, timed) = clock::split(Some(filter.predicate.clone()));
        let mut input = node(&filter.input, if timed.is_some() { Above::Rows } else { above })?;
        if let Some(timeless) = timeless {
            let filter = Some(physical(&timeless, plan.schema())?);
            let map = Map { filter, project: columns_as_they_are(plan.schema())? };
            input = Node { operator: Operator::Map { input: Box::new(input), map }, schema: schema_of(plan) };
        }
        return clock::filter(input, plan.schema(), timed);
    }
    let LogicalPlan::TableScan(scan) = plan else { return Err(refuse(format!("{} is no scan", plan.display()))) };
    let table = window::table_of(scan).ok_or_else(|| refuse(format!("{} is no table", scan.table_name)))?;
    let columns = columns_of(scan, table);
    match table.kind {
        Kind::State => Ok(Operator::State(StateScan { table: table.name, columns })),
        Kind::Event => {
            bounded(None, above, table.name)?;
            let map = Map { filter: None, project: columns_as_they_are(plan.schema())? };
            Ok(Operator::Events(EventScan { table: table.name, columns, map, window: None }))
        }
    }
}

/// Rows of an event table must leave again, or be summed up in a bounded number of groups.
fn bounded(window: Option<Window>, above: Above, table: &str) -> Result<(), Refusal> {
    if above == Above::BoundedGroups || window.is_some_and(|window| window.age_ns.is_some()) {
        return Ok(());
    }
    Err(Refusal {
        reason: format!("the view would keep every row of {table} for ever"),
        hint: format!("bound it with a predicate on {table}: WHERE time_ > now() - INTERVAL '5 minutes'"),
    })
}

fn join(join: &datafusion::logical_expr::Join) -> Result<Operator, Refusal> {
    let kind = join.join_type;
    if matches!(kind, JoinType::LeftMark | JoinType::RightMark) || join.null_aware {
        return Err(refuse("NOT IN and EXISTS within a larger condition cannot be kept up"));
    }
    let (left, right) = (join.left.schema(), join.right.schema());
    let (left_keys, right_keys) = join
        .on
        .iter()
        .map(|(on_left, on_right)| Ok((physical(on_left, left)?, physical(on_right, right)?)))
        .collect::<Result<(Vec<_>, Vec<_>), Refusal>>()?;
    let both = left.join(right).map_err(|error| refuse(error.strip_backtrace()))?;
    let filter = join.filter.as_ref().map(|filter| physical(filter, &both)).transpose()?;
    Ok(Operator::Join {
        left: Box::new(node(&join.left, Above::Rows)?),
        right: Box::new(node(&join.right, Above::Rows)?),
        join: Join { kind, left_keys, right_keys, filter },
    })
}

fn limited(limit: &datafusion::logical_expr::Limit, above: Above) -> Result<Operator, Refusal> {
    let unknown = || refuse("LIMIT and OFFSET must be numbers");
    let SkipType::Literal(skip) = limit.get_skip_type().map_err(|_| unknown())? else { return Err(unknown()) };
    let FetchType::Literal(fetch) = limit.get_fetch_type().map_err(|_| unknown())? else { return Err(unknown()) };
    let Some(fetch) = fetch else {
        return match skip {
            0 => node(&limit.input, above).map(|node| node.operator),
            _ => Err(refuse("OFFSET without LIMIT cannot be kept up")),
        };
    };
    match limit.input.as_ref() {
        LogicalPlan::Sort(sort) => top(&sort.input, &sort.expr, skip, fetch),
        other => top(other, &[], skip, fetch),
    }
}

fn top(
    input: &LogicalPlan,
    order: &[datafusion::logical_expr::SortExpr],
    skip: usize,
    fetch: usize,
) -> Result<Operator, Refusal> {
    let key = |sort: &datafusion::logical_expr::SortExpr| {
        Ok(SortKey {
            expression: physical(&sort.expr, input.schema())?,
            descending: !sort.asc,
            nulls_first: sort.nulls_first,
        })
    };
    let order = order.iter().map(key).collect::<Result<_, Refusal>>()?;
    Ok(Operator::TopK { input: Box::new(node(input, Above::Rows)?), top: TopK { order, skip, fetch } })
}

fn constant(values: &datafusion::logical_expr::Values, schema: &SchemaRef) -> Result<Operator, Refusal> {
    let nothing = DFSchema::empty();
    let row = rows_without_columns(&Arc::new(Schema::empty()), 1)?;
    let mut batches = Vec::with_capacity(values.values.len());
    for expressions in &values.values {
        let columns = all(expressions, &nothing)?
            .iter()
            .map(|expression| expression.evaluate(&row).and_then(|value| value.into_array(1)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refuse(error.strip_backtrace()))?;
        batches.push(RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| refuse(error.to_string()))?);
    }
    let batch = arrow::compute::concat_batches(schema, &batches).map_err(|error| refuse(error.to_string()))?;
    Ok(Operator::Constant(batch))
}

fn rows_without_columns(schema: &SchemaRef, count: usize) -> Result<RecordBatch, Refusal> {
    if count == 0 || !schema.fields().is_empty() {
        return Ok(RecordBatch::new_empty(Arc::clone(schema)));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(Arc::clone(schema), Vec::new(), &options).map_err(|e| refuse(e.to_string()))
}

fn schema_of(plan: &LogicalPlan) -> SchemaRef {
    Arc::new(plan.schema().as_arrow().clone())
}

fn columns_as_they_are(schema: &DFSchema) -> Result<Vec<Arc<dyn PhysicalExpr>>, Refusal> {
    all(&schema.columns().into_iter().map(Expr::Column).collect::<Vec<_>>(), schema)
}

fn all(expressions: &[Expr], schema: &DFSchema) -> Result<Vec<Arc<dyn PhysicalExpr>>, Refusal> {
    expressions.iter().map(|expression| physical(expression, schema)).collect()
}

fn physical(expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>, Refusal> {
    if has_now(expression) {
        return Err(Refusal {
            reason: format!("now() cannot be what rows are joined or ordered by, as in `{expression}`"),
            hint: "make it a column first, and join or order by that".into(),
        });
    }
    if expression.is_volatile() {
        return Err(refuse(format!("{expression} is another value each time it is read")));
    }
    create_physical_expr(expression, schema, &ExecutionProps::new(), &Default::default())
        .map_err(|error| refuse(error.strip_backtrace()))
}
