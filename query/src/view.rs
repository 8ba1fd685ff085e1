//! The small plan that a continuous view is rendered from: what `lower` produces and `dataflow::render` consumes.
//!
//! Every expression is a DataFusion physical expression over the input node's schema. Values are never NULL in our
//! tables, but expressions may produce NULL and every node must carry it.

pub mod identity;
pub mod sharing;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

/// A view that can be kept up in bounded memory.
#[derive(Debug, Clone)]
pub struct ViewPlan {
    /// The operator that makes the view's rows.
    pub root: Node,
    /// Positions of the columns that identify a row (a group-by's keys), if the view is keyed.
    pub key: Option<Vec<usize>>,
}

impl ViewPlan {
    /// Whether rows of events change one by one with the time alone, which each tick pays for with all of them.
    #[must_use]
    pub fn ages_events(&self) -> bool {
        ages_events(&self.root)
    }
}

fn ages_events(node: &Node) -> bool {
    let here = matches!(&node.operator, Operator::Clocked { input, .. } if input.has_rows_of_events());
    here || node.inputs().into_iter().any(ages_events)
}

/// A column as it is.
#[must_use]
pub fn column(schema: &Schema, at: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(schema.field(at).name(), at))
}

/// The columns of both sides of a join, left ones first.
#[must_use]
pub fn both(left: &Schema, right: &Schema) -> SchemaRef {
    Arc::new(Schema::new(left.fields().iter().chain(right.fields()).cloned().collect::<Vec<_>>()))
}

/// An operator and the schema of its rows.
#[derive(Debug, Clone)]
pub struct Node {
    /// What the operator does.
    pub operator: Operator,
    /// The rows that it makes.
    pub schema: SchemaRef,
}

impl Node {
    /// Whether rows of event tables are among those that its rows are made of.
    #[must_use]
    pub fn reads_events(&self) -> bool {
        matches!(self.operator, Operator::Events(_) | Operator::Keys)
            || self.inputs().into_iter().any(Node::reads_events)
    }

    /// Whether it may have a row for each event.
    fn has_rows_of_events(&self) -> bool {
        match &self.operator {
            Operator::Events(_) => true,
            Operator::Reduce { .. } | Operator::Distinct(_) | Operator::TopK { .. } => false,
            Operator::State(_)
            | Operator::Constant(_)
            | Operator::Map { .. }
            | Operator::Clocked { .. }
            | Operator::Join { .. }
            | Operator::Named { .. }
            | Operator::Keys
            | Operator::Union(_) => self.inputs().into_iter().any(Node::has_rows_of_events),
        }
    }

    /// The nodes whose rows it is made of.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Node> {
        match &self.operator {
            Operator::Events(_) | Operator::State(_) | Operator::Constant(_) | Operator::Keys => Vec::new(),
            Operator::Map { input, .. }
            | Operator::Clocked { input, .. }
            | Operator::Reduce { input, .. }
            | Operator::Distinct(input)
            | Operator::TopK { input, .. } => vec![input],
            Operator::Union(inputs) => inputs.iter().collect(),
            Operator::Join { left, right, .. } => vec![left, right],
            Operator::Named { input, names } => vec![input, names],
        }
    }
}

/// What can be kept up incrementally.
#[derive(Debug, Clone)]
pub enum Operator {
    /// Rows of an event table, while they are in the window.
    Events(EventScan),
    /// Rows of a state table.
    State(StateScan),
    /// Rows that never change.
    Constant(RecordBatch),
    /// Filter and project, row by row.
    #[allow(missing_docs)] // The types say it.
    Map { input: Box<Node>, map: Map },
    /// As a map, whose expressions see `now()` as one more column after those of the input. At each tick it is made of
    /// all rows again, and what differs comes out.
    #[allow(missing_docs)] // The types say it.
    Clocked { input: Box<Node>, map: Map },
    /// Group by keys and aggregate. Without keys there is exactly one row, also for no input.
    #[allow(missing_docs)] // The types say it.
    Reduce { input: Box<Node>, reduce: Reduce },
    /// Equi-join; the output is the left columns followed by the right ones (left only for semi and anti joins).
    #[allow(missing_docs)] // The types say it.
    Join { left: Box<Node>, right: Box<Node>, join: Join },
    /// Rows of a reduce of events, each with what is made of its keys alone: once a group, and not whenever its sums
    /// change. `names` is made of [`Operator::Keys`], whose columns are its first ones. The output is the aggregates of
    /// the input followed by all columns of `names`, for equal keys, also for such that are NULL.
    #[allow(missing_docs)] // The types say it.
    Named { input: Box<Node>, names: Box<Node> },
    /// The keys of the groups that are named, each once; only in names.
    Keys,
    /// All rows of all inputs, with their multiplicities.
    Union(Vec<Node>),
    /// Each row once.
    Distinct(Box<Node>),
    /// The first rows in an order; ties are broken by the whole row, so the choice is stable.
    #[allow(missing_docs)] // The types say it.
    TopK { input: Box<Node>, top: TopK },
}

/// The stateless beginning of a view: vectorised on record batches, before anything is stored for the view.
#[derive(Debug, Clone)]
pub struct EventScan {
    /// Name of an event table.
    pub table: &'static str,
    /// Positions of the table's columns that are read; only these are rendered from their stored form.
    pub columns: Vec<usize>,
    /// Filter and projection over the columns read.
    pub map: Map,
    /// When rows are in the view; `None` keeps them for ever, which only a bounded aggregate above allows.
    pub window: Option<Window>,
}

/// A sliding window over `time_`, exact to one pane. A row of pane `p` (`p = time_ - time_ mod pane_ns`) is in the
/// view at `now` if `p >= floor(now - age_ns)` (when `age_ns` is set) and `p < floor(now - delay_ns)` (when
/// `delay_ns` is set), where `floor` rounds down to a multiple of `pane_ns`. One-shot plans use the same rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Width of a pane.
    pub pane_ns: i64,
    /// Rows older than this have left; `None`: rows never leave.
    pub age_ns: Option<i64>,
    /// Rows younger than this have not entered yet; `None`: rows enter at once.
    pub delay_ns: Option<i64>,
}

impl Window {
    /// The window's pane that a time lies in, by the pane's first nanosecond.
    #[must_use]
    pub fn pane_of(&self, time_ns: i64) -> i64 {
        time_ns - time_ns.rem_euclid(self.pane_ns)
    }

    /// Whether rows of a pane are in the view at `now_ns`.
    #[must_use]
    pub fn contains(&self, pane: i64, now_ns: i64) -> bool {
        let entered = self.delay_ns.is_none_or(|delay| pane < self.pane_of(now_ns - delay));
        let stays = self.age_ns.is_none_or(|age| pane >= self.pane_of(now_ns - age));
        entered && stays
    }
}

/// Rows of a state table.
#[derive(Debug, Clone)]
pub struct StateScan {
    /// Name of a state table.
    pub table: &'static str,
    /// Positions of the table's columns that are read.
    pub columns: Vec<usize>,
}

/// Filter, then project.
#[derive(Debug, Clone)]
pub struct Map {
    /// Rows for which this is not true are dropped.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// The output columns, over the input columns.
    pub project: Vec<Arc<dyn PhysicalExpr>>,
}

/// Group and aggregate; the output is the keys followed by the aggregates.
#[derive(Debug, Clone)]
pub struct Reduce {
    /// What rows are grouped by.
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    /// What is computed of each group.
    pub aggregates: Vec<Aggregate>,
    /// A key that the scans below make of another.
    pub span: Option<Span>,
}

/// A key of a [`Reduce`] over windowed scans: the last change of an address's owners up to the row's `time_`, in
/// nanoseconds since the epoch; 0 where there is none. Changes are the times in `k8s.addresses` that are not 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Position of the span among the keys. As an expression, it is `time_` itself.
    pub key: usize,
    /// Position of the address among the keys.
    pub address: usize,
}

/// One aggregate of a [`Reduce`].
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// Its arguments over the input columns.
    pub arguments: Vec<Arc<dyn PhysicalExpr>>,
    /// Only rows for which this is true count.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// Type of the result.
    pub data_type: DataType,
}

/// The aggregates that stay correct when rows are taken back. NULL arguments do not count. A group without any
/// counted value gives NULL, except for counts, which give 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// Rows, or rows whose argument is not NULL where there is one.
    Count,
    /// Sum; a group (integers as they are, floats as fixed point of 2^-32).
    Sum,
    /// Mean; sum and count.
    Avg,
    /// Smallest value, in Arrow's row order.
    Min,
    /// Largest value, in Arrow's row order.
    Max,
    /// First argument of the row with the largest second argument (ties: the largest first argument).
    Last,
    /// The distinct lines of texts in order of bytes, joined by line breaks.
    Lines,
    /// Value at this quantile, by `model::histogram`.
    Quantile(f64),
    /// All counts by bucket, as `model::histogram::encode` writes them.
    Histogram,
    /// Sum of encoded histograms.
    MergeHistogram,
}

/// An equi-join. Keys that are NULL match nothing.
#[derive(Debug, Clone)]
pub struct Join {
    /// Inner, left, right, full, left/right semi or anti.
    pub kind: JoinType,
    /// Keys over the left columns.
    pub left_keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Keys over the right columns, as many and of the same types.
    pub right_keys: Vec<Arc<dyn PhysicalExpr>>,
    /// What pairs must fulfil beside, over left columns followed by right columns.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
}

/// An order and how much of it.
#[derive(Debug, Clone)]
pub struct TopK {
    /// Most significant first.
    pub order: Vec<SortKey>,
    /// Rows left out at the start.
    pub skip: usize,
    /// Rows kept after those.
    pub fetch: usize,
}

/// One key of an order.
#[derive(Debug, Clone)]
pub struct SortKey {
    /// The value to sort by.
    pub expression: Arc<dyn PhysicalExpr>,
    /// Largest first.
    pub descending: bool,
    /// NULLs before all others.
    pub nulls_first: bool,
}
