//! What columns of a plan's nodes are called in explanations: as in tables and scripts, never as a rule named them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CaseExpr, Column, IsNotNullExpr, Literal};
use datafusion::scalar::ScalarValue;
use watershed_model::tables;

use crate::view::{Aggregate, Function, Node, Operator};

/// Names that rules of ours give have one of these in them; `fact_` and `told_` only with a number.
const INTERNAL: [&str; 3] = ["__right_", "__group_", "__part_"];
const NUMBERED: [&str; 2] = ["fact_", "told_"];
/// Longest name of a column that is an expression, in characters.
const NAME_CHARS_MAX: usize = 80;
/// Longest expression that is shown.
const EXPRESSION_CHARS_MAX: usize = 400;

/// The columns that a node makes.
pub(super) fn of(node: &Node) -> Vec<String> {
    let computed = match &node.operator {
        Operator::Events(scan) => shown_all(&scan.map.project, &of_table(scan.table, &scan.columns)),
        Operator::State(scan) => of_table(scan.table, &scan.columns),
        // Keys are called as their group-by's are where they are made.
        Operator::Constant(_) | Operator::Keys => Vec::new(),
        Operator::Map { input, map } => shown_all(&map.project, &of(input)),
        Operator::Clocked { input, map } => shown_all(&map.project, &with_now(input)),
        Operator::Reduce { input, reduce } => {
            let input = of(input);
            let mut names = shown_all(&reduce.keys, &input);
            names.extend(reduce.aggregates.iter().map(|call| aggregate(call, &input)));
            names
        }
        Operator::Join { left, right, join } => match join.kind {
            JoinType::LeftSemi | JoinType::LeftAnti => of(left),
            JoinType::RightSemi | JoinType::RightAnti => of(right),
            _ => both(left, right),
        },
        Operator::Named { input, names } => {
            let keys = names_of_keys(input).len();
            of(input).into_iter().skip(keys).chain(of(names)).collect()
        }
        Operator::Union(inputs) => inputs.first().map(of).unwrap_or_default(),
        Operator::Distinct(input) | Operator::TopK { input, .. } => of(input),
    };
    let named = node.schema.fields().iter().enumerate().map(|(at, field)| match computed.get(at) {
        Some(computed) if is_internal(field.name()) => cut(computed.clone(), NAME_CHARS_MAX),
        _ => field.name().clone(),
    });
    named.collect()
}

/// The keys of a group-by.
pub(crate) fn names_of_keys(node: &Node) -> Vec<String> {
    let Operator::Reduce { reduce, .. } = &node.operator else { return Vec::new() };
    of(node).into_iter().take(reduce.keys.len()).collect()
}

/// The columns that a node makes, and the time.
pub(super) fn with_now(node: &Node) -> Vec<String> {
    of(node).into_iter().chain(["now()".to_owned()]).collect()
}

fn is_internal(name: &str) -> bool {
    let numbered =
        |prefix: &&str| name.strip_prefix(*prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    INTERNAL.iter().any(|part| name.contains(part)) || NUMBERED.iter().any(numbered)
}

/// The columns of both sides of a join, left ones first.
pub(super) fn both(left: &Node, right: &Node) -> Vec<String> {
    of(left).into_iter().chain(of(right)).collect()
}

/// The columns that a scan reads.
pub(super) fn of_table(table: &str, columns: &[usize]) -> Vec<String> {
    let Some(table) = tables::by_name(table) else { return Vec::new() };
    columns.iter().map(|at| table.columns.get(*at).map(|column| column.name.to_owned()).unwrap_or_default()).collect()
}

/// An expression over named columns.
pub(super) fn shown(expression: &Arc<dyn PhysicalExpr>, names: &[String]) -> String {
    let named = Arc::clone(expression).transform_up(|part| Ok(simpler(part, names)));
    let named = named.map_or_else(|_| Arc::clone(expression), |named| named.data);
    cut(Sql(named.as_ref()).to_string(), EXPRESSION_CHARS_MAX)
}

/// Columns get their names, texts their quotes, and what only fills an outer join is left out.
fn simpler(part: Arc<dyn PhysicalExpr>, names: &[String]) -> Transformed<Arc<dyn PhysicalExpr>> {
    let any: &dyn Any = part.as_ref();
    let named = |name: &str| Transformed::yes(Arc::new(Column::new(name, usize::MAX)) as Arc<dyn PhysicalExpr>);
    if let Some(column) = any.downcast_ref::<Column>() {
        return named(names.get(column.index()).map_or(column.name(), String::as_str));
    }
    if let Some(ScalarValue::Utf8(Some(text))) = any.downcast_ref::<Literal>().map(Literal::value) {
        return named(&format!("'{text}'"));
    }
    let filled = any.downcast_ref::<CaseExpr>().and_then(|case| match case.when_then_expr() {
        [(when, then)] => {
            let when: &dyn Any = when.as_ref();
            when.downcast_ref::<IsNotNullExpr>().filter(|present| present.arg() == then).map(|_| Arc::clone(then))
        }
        _ => None,
    });
    filled.map_or_else(|| Transformed::no(part), Transformed::yes)
}

pub(super) fn shown_all(expressions: &[Arc<dyn PhysicalExpr>], names: &[String]) -> Vec<String> {
    expressions.iter().map(|expression| shown(expression, names)).collect()
}

/// An aggregate over named columns.
pub(super) fn aggregate(aggregate: &Aggregate, names: &[String]) -> String {
    let filter = aggregate.filter.as_ref().map(|filter| format!(" where {}", shown(filter, names))).unwrap_or_default();
    let mut arguments = shown_all(&aggregate.arguments, names);
    let function = match aggregate.function {
        Function::Count if arguments.is_empty() => return format!("count(*){filter}"),
        Function::Count => "count",
        Function::Sum => "sum",
        Function::Avg => "avg",
        Function::Min => "min",
        Function::Max => "max",
        Function::Last => "last",
        Function::Lines => "lines",
        Function::Quantile(quantile) => {
            arguments.push(quantile.to_string());
            "quantile"
        }
        Function::Histogram => "histogram",
        Function::MergeHistogram => "merge_histogram",
    };
    format!("{function}({}){filter}", arguments.join(", "))
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Written as in SQL, without positions of columns.
struct Sql<'e>(&'e dyn PhysicalExpr);

impl fmt::Display for Sql<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_sql(f)
    }
}
