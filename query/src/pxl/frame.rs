//! DataFrames: a plan and the columns over it that are not in the plan yet, so that a hundred assignments make one
//! projection and not a hundred.

mod combine;
mod group;

use std::collections::HashMap;
use std::rc::Rc;

use datafusion::common::Column;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use watershed_model::{DataType, Semantic};

use super::call::one_frame;
use super::column::ColumnExpr;
use super::fault::nearest;
use crate::script::COLUMNS_MAX;

pub(super) use combine::{How, Merge};
pub(super) use group::AggregateCall;

/// Most nodes of a plan above each other.
const HEIGHT_MAX: usize = 1_000;
/// Most nodes of a plan; frames that are used twice are in it twice.
const NODES_MAX: usize = 2_000;

/// How large a plan is.
#[derive(Debug, Clone, Copy)]
struct Extent {
    height: usize,
    nodes: usize,
}

impl Extent {
    /// With that many nodes on top.
    fn plus(self, nodes: usize) -> Self {
        Extent { height: self.height + nodes, nodes: self.nodes + nodes }
    }

    /// Both side by side.
    fn beside(self, other: Self) -> Self {
        Extent { height: self.height.max(other.height), nodes: self.nodes + other.nodes }
    }
}

/// A table that a script works on. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    data: Rc<Data>,
}

#[derive(Debug, Clone)]
struct Data {
    /// Frames with the same lineage have their columns by the same names.
    lineage: u64,
    /// All its columns go by their bare names.
    plan: LogicalPlan,
    extent: Extent,
    columns: Vec<Field>,
    positions: HashMap<String, usize>,
    /// Whether the columns are others than the plan's.
    is_changed: bool,
    /// Width of the rolling window that the next aggregate is by.
    rolling_ns: Option<i64>,
}

/// A column of a frame.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) data_type: DataType,
    pub(super) semantic: Semantic,
    /// What of the cluster it names, such as `pod_id`.
    pub(super) key: Option<&'static str>,
    /// `None` for the plan's column of that name.
    expr: Option<Expr>,
    /// Its expression was a mistake.
    pub(super) is_poison: bool,
}

impl Field {
    pub(super) fn new(name: &str, data_type: DataType, semantic: Semantic) -> Self {
        let key = super::context::key_of_column(name, semantic);
        Field { name: name.to_owned(), data_type, semantic, key, expr: None, is_poison: false }
    }

    fn as_planned(&self) -> Self {
        Field { expr: None, ..self.clone() }
    }
}

#[allow(clippy::needless_pass_by_value)] // The shape that `map_err` takes.
pub(super) fn planned(error: DataFusionError) -> String {
    error.strip_backtrace()
}

impl Frame {
    /// Over a plan whose columns have these names, in this order.
    pub(super) fn new(lineage: u64, plan: LogicalPlan, columns: Vec<Field>) -> Self {
        let positions = positions(&columns);
        let data = Data {
            lineage,
            plan,
            extent: Extent { height: 1, nodes: 1 },
            columns,
            positions,
            is_changed: false,
            rolling_ns: None,
        };
        Frame { data: Rc::new(data) }
    }

    /// Over any plan; columns of types that PxL does not have are left out.
    pub(super) fn of_plan(lineage: u64, plan: LogicalPlan) -> Result<Self, String> {
        let meanings = crate::meaning::columns_of(&plan);
        let mut columns = Vec::with_capacity(meanings.len());
        for (field, meaning) in plan.schema().fields().iter().zip(meanings) {
            let Some(data_type) = DataType::of_arrow(field.data_type()) else { continue };
            let mut column = Field::new(field.name(), data_type, meaning.semantic);
            if field.data_type() != &data_type.arrow() {
                let stored = Expr::Column(Column::new_unqualified(field.name()));
                column.expr = Some(datafusion::logical_expr::cast(stored, data_type.arrow()));
            }
            columns.push(column);
        }
        let mut frame = Frame::new(lineage, plan, columns);
        Rc::make_mut(&mut frame.data).is_changed = true;
        frame.flushed()
    }

    fn successor(&self, lineage: u64, plan: LogicalPlan, columns: Vec<Field>, extent: Extent) -> Result<Self, String> {
        if extent.height > HEIGHT_MAX {
            return Err(format!("more than {HEIGHT_MAX} steps follow one another"));
        }
        if extent.nodes > NODES_MAX {
            return Err(format!("a table is made in more than {NODES_MAX} steps, counting those used twice as two"));
        }
        let mut frame = Frame::new(lineage, plan, columns);
        let data = Rc::make_mut(&mut frame.data);
        data.extent = extent;
        data.rolling_ns = self.data.rolling_ns;
        Ok(frame)
    }

    pub(super) fn columns(&self) -> &[Field] {
        &self.data.columns
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.data.columns.get(*self.data.positions.get(name)?)
    }

    /// The field, or what to say when there is none.
    pub(super) fn known(&self, name: &str) -> Result<&Field, String> {
        self.field(name).ok_or_else(|| {
            let near = nearest(name, self.columns().iter().map(|field| field.name.as_str()));
            let some: Vec<&str> = self.columns().iter().take(12).map(|field| field.name.as_str()).collect();
            let more = if self.columns().len() > some.len() { ", …" } else { "" };
            if near.is_empty() {
                format!("there is no column `{name}`; the columns are {}{more}", some.join(", "))
            } else {
                format!("there is no column `{name}`{near}")
            }
        })
    }

    /// A column as an expression.
    pub(super) fn column(&self, name: &str) -> Result<ColumnExpr, String> {
        let field = self.known(name)?;
        Ok(ColumnExpr {
            expr: Expr::Column(Column::new_unqualified(name)),
            data_type: field.data_type,
            semantic: field.semantic,
            key: field.key,
            lineage: Some(self.data.lineage),
        })
    }

    fn check(&self, column: &ColumnExpr) -> Result<(), String> {
        if column.lineage.is_some_and(|lineage| lineage != self.data.lineage) {
            return Err("this column is of another DataFrame; merge the two first".into());
        }
        for reference in column.expr.column_refs() {
            self.known(&reference.name)?;
        }
        Ok(())
    }

    /// `df.name = column`
    pub(super) fn assign(mut self, name: &str, column: ColumnExpr) -> Result<Self, String> {
        self.check(&column)?;
        if name.is_empty() {
            return Err("a column needs a name".into());
        }
        let reads_unplanned =
            column.expr.column_refs().iter().any(|read| self.field(&read.name).is_some_and(|f| f.expr.is_some()));
        if reads_unplanned {
            self = self.flushed()?;
        }
        let ColumnExpr { expr, data_type, semantic, key, .. } = column;
        let field = Field { name: name.to_owned(), data_type, semantic, key, expr: Some(expr), is_poison: false };
        self.put(field)
    }

    /// A column whose expression was a mistake; nothing made of it is a further one.
    pub(super) fn poisoned(self, name: &str) -> Self {
        let mut field = Field::new(name, DataType::Int64, Semantic::None);
        field.expr = Some(datafusion::prelude::lit(0_i64));
        field.is_poison = true;
        let kept = self.clone();
        self.put(field).unwrap_or(kept)
    }

    fn put(mut self, field: Field) -> Result<Self, String> {
        let data = Rc::make_mut(&mut self.data);
        data.is_changed = true;
        match data.positions.get(&field.name) {
            Some(position) => data.columns[*position] = field,
            None if data.columns.len() >= COLUMNS_MAX => {
                return Err(format!("a DataFrame has at most {COLUMNS_MAX} columns"));
            }
            None => {
                data.positions.insert(field.name.clone(), data.columns.len());
                data.columns.push(field);
            }
        }
        Ok(self)
    }

    /// `df[['a', 'b']]`
    pub(super) fn keep(&self, names: &[String]) -> Result<Self, String> {
        let mut columns: Vec<Field> = Vec::with_capacity(names.len());
        let mut seen = std::collections::HashSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(format!("the column `{name}` is kept twice"));
            }
            columns.push(self.known(name)?.clone());
        }
        if columns.is_empty() {
            return Err("at least one column must be kept".into());
        }
        Ok(self.with_columns(columns))
    }

    /// `df.drop(['a', 'b'])`
    pub(super) fn without(&self, names: &[String]) -> Result<Self, String> {
        for name in names {
            self.known(name)?;
        }
        let dropped: std::collections::HashSet<&String> = names.iter().collect();
        let columns: Vec<Field> =
            self.columns().iter().filter(|field| !dropped.contains(&field.name)).cloned().collect();
        if columns.is_empty() {
            return Err("at least one column must stay".into());
        }
        Ok(self.with_columns(columns))
    }

    fn with_columns(&self, columns: Vec<Field>) -> Self {
        let positions = positions(&columns);
        Frame { data: Rc::new(Data { columns, positions, is_changed: true, ..self.data.as_ref().clone() }) }
    }

    /// `df[condition]`
    pub(super) fn filter(&self, condition: ColumnExpr) -> Result<Self, String> {
        self.check(&condition)?;
        if condition.data_type != DataType::Boolean {
            return Err(format!("a filter is a truth value, this is {}", condition.data_type.name()));
        }
        let frame = self.flushed()?;
        let plan = builder(&frame).filter(condition.expr).and_then(LogicalPlanBuilder::build).map_err(planned)?;
        frame.successor(frame.data.lineage, plan, frame.data.columns.clone(), frame.data.extent.plus(1))
    }

    /// `df.head(n)`
    pub(super) fn head(&self, rows: usize) -> Result<Self, String> {
        let frame = self.flushed()?;
        let plan = builder(&frame).limit(0, Some(rows)).and_then(LogicalPlanBuilder::build).map_err(planned)?;
        frame.successor(frame.data.lineage, plan, frame.data.columns.clone(), frame.data.extent.plus(1))
    }

    /// `df.rolling(width)`
    pub(super) fn rolling(&self, width_ns: i64) -> Self {
        let mut frame = self.clone();
        Rc::make_mut(&mut frame.data).rolling_ns = Some(width_ns);
        frame
    }

    /// The frame with all columns in its plan.
    pub(super) fn flushed(&self) -> Result<Self, String> {
        if !self.data.is_changed {
            return Ok(self.clone());
        }
        let expression = |field: &Field| match &field.expr {
            Some(expr) => expr.clone().alias(&field.name),
            None => Expr::Column(Column::new_unqualified(&field.name)),
        };
        let expressions: Vec<Expr> = self.columns().iter().map(expression).collect();
        let plan = LogicalPlanBuilder::from(self.data.plan.clone())
            .project(expressions)
            .and_then(LogicalPlanBuilder::build)
            .map_err(planned)?;
        let columns = self.columns().iter().map(Field::as_planned).collect();
        self.successor(self.data.lineage, plan, columns, self.data.extent.plus(1))
    }

    /// The finished plan.
    pub(super) fn plan(&self) -> Result<LogicalPlan, String> {
        Ok(self.flushed()?.data.plan.clone())
    }

    /// Checks that columns belong to one frame, this one.
    pub(super) fn check_all(&self, columns: &[ColumnExpr]) -> Result<(), String> {
        one_frame(columns)?;
        columns.iter().try_for_each(|column| self.check(column))
    }
}

fn builder(frame: &Frame) -> LogicalPlanBuilder {
    LogicalPlanBuilder::from(frame.data.plan.clone())
}

fn positions(columns: &[Field]) -> HashMap<String, usize> {
    columns.iter().enumerate().map(|(position, field)| (field.name.clone(), position)).collect()
}
