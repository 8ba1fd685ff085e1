//! What makes two parts of a plan the same, whatever their columns are called.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{EventScan, Map, Node, Operator, Reduce, TopK, ViewPlan};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

/// Constants with more rows are not compared.
const CONSTANT_ROWS_MAX: usize = 16;

/// A text that is equal for views with the same rows under the same names; `None` where constants are too large to
/// compare.
#[must_use]
pub fn of_view(plan: &ViewPlan) -> Option<String> {
    let mut text = of_node(&plan.root)?;
    for field in plan.root.schema.fields() {
        let _ = write!(text, " {:?}", field.name());
    }
    Some(text)
}

/// A text that is equal for nodes that make the same rows; `None` where constants are too large to compare.
#[must_use]
pub fn of_node(node: &Node) -> Option<String> {
    let mut text = String::new();
    write_node(node, &mut text)?;
    Some(text)
}

/// A text that is equal for equal lists of expressions.
#[must_use]
pub fn of_expressions(expressions: &[Arc<dyn PhysicalExpr>]) -> String {
    let mut text = String::new();
    for expression in expressions {
        write_expression(expression, &mut text);
    }
    text
}

fn write_node(node: &Node, text: &mut String) -> Option<()> {
    match &node.operator {
        Operator::Events(scan) => write_events(scan, text),
        Operator::State(scan) => {
            let _ = write!(text, "state {} {:?}", scan.table, scan.columns);
        }
        Operator::Constant(batch) if batch.num_rows() <= CONSTANT_ROWS_MAX => {
            let _ = write!(text, "constant {batch:?}");
        }
        Operator::Map { input, map } => {
            text.push_str("map");
            write_map(map, text);
            write_node(input, text)?;
        }
        Operator::Clocked { input, map } => {
            text.push_str("clocked");
            write_map(map, text);
            write_node(input, text)?;
        }
        Operator::Reduce { input, reduce } => {
            text.push_str("reduce");
            write_reduce(reduce, text);
            write_node(input, text)?;
        }
        Operator::Join { left, right, join } => {
            let _ = write!(text, "join {:?} ", join.kind);
            text.push_str(&of_expressions(&join.left_keys));
            text.push_str(" = ");
            text.push_str(&of_expressions(&join.right_keys));
            text.push_str(" if ");
            join.filter.iter().for_each(|filter| write_expression(filter, text));
            write_node(left, text)?;
            write_node(right, text)?;
        }
        Operator::Named { input, names } => {
            text.push_str("named");
            write_node(input, text)?;
            write_node(names, text)?;
        }
        Operator::Keys => text.push_str("keys"),
        Operator::Union(inputs) => {
            text.push_str("union");
            inputs.iter().try_for_each(|input| write_node(input, text))?;
        }
        Operator::Distinct(input) => {
            text.push_str("distinct");
            write_node(input, text)?;
        }
        Operator::TopK { input, top } => {
            write_top(top, text);
            write_node(input, text)?;
        }
        Operator::Constant(_) => return None,
    }
    // Types and whether they can be NULL decide how rows are encoded.
    for field in node.schema.fields() {
        let _ = write!(text, " {}{}", field.data_type(), if field.is_nullable() { "?" } else { "" });
    }
    text.push(';');
    Some(())
}

fn write_events(scan: &EventScan, text: &mut String) {
    let _ = write!(text, "events {} {:?} {:?}", scan.table, scan.columns, scan.window);
    write_map(&scan.map, text);
}

fn write_top(top: &TopK, text: &mut String) {
    let _ = write!(text, "top {} {}", top.skip, top.fetch);
    for key in &top.order {
        let _ = write!(text, " {} {} ", key.descending, key.nulls_first);
        write_expression(&key.expression, text);
    }
}

fn write_map(map: &Map, text: &mut String) {
    text.push_str(" if ");
    map.filter.iter().for_each(|filter| write_expression(filter, text));
    text.push_str(" make ");
    text.push_str(&of_expressions(&map.project));
}

fn write_reduce(reduce: &Reduce, text: &mut String) {
    text.push_str(&of_expressions(&reduce.keys));
    for aggregate in &reduce.aggregates {
        let _ = write!(text, " {:?} {} ", aggregate.function, aggregate.data_type);
        text.push_str(&of_expressions(&aggregate.arguments));
        aggregate.filter.iter().for_each(|filter| write_expression(filter, text));
    }
}

fn write_expression(expression: &Arc<dyn PhysicalExpr>, text: &mut String) {
    let nameless = Arc::clone(expression).transform_up(|part| {
        let any: &dyn std::any::Any = part.as_ref();
        Ok(match any.downcast_ref::<Column>() {
            Some(column) => Transformed::yes(Arc::new(Column::new("", column.index())) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(part),
        })
    });
    let nameless = nameless.map_or_else(|_| Arc::clone(expression), |changed| changed.data);
    let _ = write!(text, "[{nameless:?}]");
}
