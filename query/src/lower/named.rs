//! Look-ups that depend on a group-by's keys alone are made of its keys: a group is named once, and not whenever one of
//! its sums changes.

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Fields, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinSide, JoinType};
use datafusion::physical_expr::PhysicalExpr;

use super::shape::{column_of, is_identity};
use crate::explain::names::names_of_keys;
use crate::view::sharing::looked_up;
use crate::view::{Join, Map, Node, Operator, both, column};

/// Fewer look-ups than this are no more work for each change than to put names and sums together.
const LOOKUPS_MIN: usize = 2;

/// The plan with names made of keys, wherever that is the same.
pub(super) fn apart(node: Node) -> Node {
    if let Some(stack) = Stack::of(&node).filter(|stack| stack.lookups >= LOOKUPS_MIN) {
        return stack.named(Arc::clone(&node.schema));
    }
    let each = |node: Box<Node>| Box::new(apart(*node));
    let operator = match node.operator {
        Operator::Map { input, map } => Operator::Map { input: each(input), map },
        Operator::Clocked { input, map } => Operator::Clocked { input: each(input), map },
        Operator::Reduce { input, reduce } => Operator::Reduce { input: each(input), reduce },
        Operator::Join { left, right, join } => Operator::Join { left: each(left), right: each(right), join },
        Operator::Named { input, names } => Operator::Named { input: each(input), names },
        Operator::Union(inputs) => Operator::Union(inputs.into_iter().map(apart).collect()),
        Operator::Distinct(input) => Operator::Distinct(each(input)),
        Operator::TopK { input, top } => Operator::TopK { input: each(input), top },
        leaf @ (Operator::Events(_) | Operator::State(_) | Operator::Constant(_) | Operator::Keys) => leaf,
    };
    Node { operator, schema: node.schema }
}

/// Where a column of a stack comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// An aggregate as it is, by its position among the aggregates.
    Aggregate(usize),
    /// A column of the names.
    Name(usize),
}

/// Maps and look-ups above a group-by of events, of which aggregates are passed on as they are.
struct Stack<'p> {
    reduce: &'p Node,
    /// How many keys the group-by has.
    keys: usize,
    /// The same maps and look-ups of keys alone, which are its first columns.
    names: Node,
    columns: Vec<Origin>,
    lookups: usize,
}

impl<'p> Stack<'p> {
    fn of(node: &'p Node) -> Option<Self> {
        match &node.operator {
            Operator::Reduce { reduce, .. } if !reduce.keys.is_empty() && node.reads_events() => {
                Some(Stack::above(node, reduce.keys.len()))
            }
            Operator::Map { input, map } => Stack::of(input)?.mapped(map, &node.schema),
            Operator::Join { left, right, join } => match looked_up(left, right, join)? {
                true => Stack::of(right)?.joined(left, join, JoinSide::Left),
                false => Stack::of(left)?.joined(right, join, JoinSide::Right),
            },
            Operator::Events(_)
            | Operator::State(_)
            | Operator::Constant(_)
            | Operator::Clocked { .. }
            | Operator::Reduce { .. }
            | Operator::Named { .. }
            | Operator::Keys
            | Operator::Union(_)
            | Operator::Distinct(_)
            | Operator::TopK { .. } => None,
        }
    }

    /// No look-up yet.
    fn above(reduce: &'p Node, keys: usize) -> Self {
        let fields = reduce.schema.fields();
        let named = fields.iter().zip(names_of_keys(reduce));
        let shown = named.map(|(field, name)| field.as_ref().clone().with_name(name)).collect::<Vec<_>>();
        let names = Node { operator: Operator::Keys, schema: Arc::new(Schema::new(shown)) };
        let columns =
            (0..fields.len()).map(|at| if at < keys { Origin::Name(at) } else { Origin::Aggregate(at - keys) });
        Stack { reduce, keys, names, columns: columns.collect(), lookups: 0 }
    }

    /// With a map above, unless it reads aggregates.
    fn mapped(self, map: &Map, schema: &SchemaRef) -> Option<Self> {
        let filter = match &map.filter {
            Some(filter) => Some(self.over_names(filter)?),
            None => None,
        };
        let mut made = Projection::of(&self.names.schema, self.keys);
        let mut columns = Vec::with_capacity(map.project.len());
        for (expression, field) in map.project.iter().zip(schema.fields()) {
            columns.push(match self.passed_on(expression) {
                Some(Origin::Aggregate(at)) => Origin::Aggregate(at),
                Some(Origin::Name(at)) if at < self.keys => Origin::Name(at),
                Some(Origin::Name(_)) | None => Origin::Name(made.push(self.over_names(expression)?, field)),
            });
        }
        let names = made.above(self.names, filter);
        Some(Stack { names, columns, ..self })
    }

    /// Looked up in a table, unless by aggregates; whichever side that is, names stand left of it.
    fn joined(self, table: &Node, join: &Join, side: JoinSide) -> Option<Self> {
        let (kind, keys, table_keys) = match side {
            JoinSide::Left => (join.kind.swap(), &join.right_keys, &join.left_keys),
            JoinSide::Right => (join.kind, &join.left_keys, &join.right_keys),
            JoinSide::None => return None,
        };
        let left_keys = keys.iter().map(|key| self.over_names(key)).collect::<Option<Vec<_>>>()?;
        let Stack { names, columns, .. } = self;
        let width = names.schema.fields().len();
        let found = (width..width + table.schema.fields().len()).map(Origin::Name);
        let (columns, schema) = match (kind, side) {
            (JoinType::LeftSemi | JoinType::LeftAnti, _) => (columns, Arc::clone(&names.schema)),
            (_, JoinSide::Left) => (found.chain(columns).collect(), both(&names.schema, &table.schema)),
            (_, _) => (columns.into_iter().chain(found).collect(), both(&names.schema, &table.schema)),
        };
        let join = Join { kind, left_keys, right_keys: table_keys.clone(), filter: None };
        let operator = Operator::Join { left: Box::new(names), right: Box::new(table.clone()), join };
        let names = Node { operator, schema };
        Some(Stack { names, columns, lookups: self.lookups + 1, ..self })
    }

    /// Where a column comes from that an expression gives as it is.
    fn passed_on(&self, expression: &Arc<dyn PhysicalExpr>) -> Option<Origin> {
        self.columns.get(column_of(expression)?).copied()
    }

    /// An expression over the stack's columns, over the names; `None` if it reads an aggregate.
    fn over_names(&self, expression: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
        let mut is_named = true;
        let over_names = Arc::clone(expression).transform_up(|part| {
            let Some(at) = column_of(&part) else { return Ok(Transformed::no(part)) };
            Ok(match self.columns.get(at) {
                Some(Origin::Name(at)) => Transformed::yes(column(&self.names.schema, *at)),
                Some(Origin::Aggregate(_)) | None => {
                    is_named = false;
                    Transformed::no(part)
                }
            })
        });
        over_names.ok().filter(|_| is_named).map(|over_names| over_names.data)
    }

    /// The same rows, with names made of keys; `schema` is the stack's.
    fn named(self, schema: SchemaRef) -> Node {
        let mut shown = Projection::of(&self.names.schema, self.keys);
        let aggregates = self.reduce.schema.fields().len() - self.keys;
        let at_last = self.columns.iter().map(|origin| match origin {
            Origin::Aggregate(at) => *at,
            Origin::Name(at) => aggregates + shown.column(&self.names.schema, *at),
        });
        let at_last: Vec<usize> = at_last.collect();
        let names = shown.above(self.names, None);
        let sums = Schema::new(self.reduce.schema.fields().iter().skip(self.keys).cloned().collect::<Fields>());
        let made = both(&sums, &names.schema);
        let project = at_last.into_iter().map(|at| column(&made, at)).collect();
        let input = Box::new(apart(self.reduce.clone()));
        let named = Node { operator: Operator::Named { input, names: Box::new(names) }, schema: made };
        let map = Map { filter: None, project };
        Node { operator: Operator::Map { input: Box::new(named), map }, schema }
    }
}

/// Columns that are being made.
struct Projection {
    expressions: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<FieldRef>,
}

impl Projection {
    /// The first columns as they are.
    fn of(schema: &SchemaRef, columns: usize) -> Self {
        let fields = schema.fields()[..columns].to_vec();
        Projection { expressions: (0..columns).map(|at| column(schema, at)).collect(), fields }
    }

    /// Adds an expression; where it is.
    fn push(&mut self, expression: Arc<dyn PhysicalExpr>, field: &FieldRef) -> usize {
        self.expressions.push(expression);
        self.fields.push(Arc::clone(field));
        self.fields.len() - 1
    }

    /// Adds a column as it is, once; where it is.
    fn column(&mut self, schema: &SchemaRef, at: usize) -> usize {
        let known = self.expressions.iter().position(|made| column_of(made) == Some(at));
        known.unwrap_or_else(|| self.push(column(schema, at), &schema.fields()[at]))
    }

    /// What it makes of rows.
    fn above(self, input: Node, filter: Option<Arc<dyn PhysicalExpr>>) -> Node {
        let is_whole = self.fields.len() == input.schema.fields().len() && is_identity(&self.expressions);
        if filter.is_none() && is_whole {
            return input;
        }
        let map = Map { filter, project: self.expressions };
        let schema = Arc::new(Schema::new(self.fields));
        Node { operator: Operator::Map { input: Box::new(input), map }, schema }
    }
}

#[cfg(test)]
mod tests;
