//! Spans of addresses among a group-by's keys, found by the scans right below it.

use std::any::Any;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use crate::metadata::SPAN_OF;
use crate::view::{Map, Node, Operator, Reduce, Span, TopK, Window};

/// The key that is the span of another key at `time_`, if the input is nothing but windowed scans.
pub(super) fn of(keys: &[Arc<dyn PhysicalExpr>], input: &Node) -> Option<Span> {
    let mut spans = keys.iter().enumerate().filter(|(_, key)| call_of(key).is_some());
    let (key, expression) = spans.next().filter(|_| spans.next().is_none())?;
    let [address, time] = call_of(expression)?.args() else { return None };
    let address = keys.iter().position(|other| other.as_ref() == address.as_ref())?;
    let mut windows = Vec::new();
    (is_time(time, input, &mut windows) && windows.windows(2).all(|pair| pair[0] == pair[1]))
        .then_some(Span { key, address })
}

/// Whether a span is left somewhere that no scan finds.
pub(super) fn is_left(node: &Node) -> bool {
    let is_here = match &node.operator {
        Operator::Events(scan) => in_map(&scan.map),
        Operator::Map { map, .. } | Operator::Clocked { map, .. } => in_map(map),
        Operator::Reduce { reduce, .. } => in_reduce(reduce),
        Operator::Join { join, .. } => join.left_keys.iter().chain(&join.right_keys).chain(&join.filter).any(has_span),
        Operator::TopK { top, .. } => in_top(top),
        Operator::State(_)
        | Operator::Constant(_)
        | Operator::Named { .. }
        | Operator::Keys
        | Operator::Union(_)
        | Operator::Distinct(_) => false,
    };
    is_here || node.inputs().into_iter().any(is_left)
}

fn in_map(map: &Map) -> bool {
    map.filter.iter().chain(&map.project).any(has_span)
}

fn in_top(top: &TopK) -> bool {
    top.order.iter().any(|key| has_span(&key.expression))
}

fn in_reduce(reduce: &Reduce) -> bool {
    let found = reduce.span.map(|span| span.key);
    let keys = reduce.keys.iter().enumerate().filter(|(at, _)| Some(*at) != found).map(|(_, key)| key);
    let arguments = reduce.aggregates.iter().flat_map(|call| call.arguments.iter().chain(&call.filter));
    keys.chain(arguments).any(has_span)
}

fn has_span(expression: &Arc<dyn PhysicalExpr>) -> bool {
    expression.exists(|part| Ok(call_of(part).is_some())).unwrap_or(true)
}

fn call_of(expression: &Arc<dyn PhysicalExpr>) -> Option<&ScalarFunctionExpr> {
    let any: &dyn Any = expression.as_ref();
    any.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.name() == SPAN_OF)
}

/// Whether an expression over a node is `time_` of the events that its rows are, which leave when they are old; collects
/// the windows.
fn is_time(expression: &Arc<dyn PhysicalExpr>, node: &Node, windows: &mut Vec<Window>) -> bool {
    let any: &dyn Any = expression.as_ref();
    let Some(column) = any.downcast_ref::<Column>() else { return false };
    let projected = |map: &'_ Map| map.project.get(column.index()).cloned();
    match &node.operator {
        Operator::Events(scan) => {
            let Some(stored) = projected(&scan.map) else { return false };
            let any: &dyn Any = stored.as_ref();
            let first = any.downcast_ref::<Column>().and_then(|column| scan.columns.get(column.index())) == Some(&0);
            let leaves = scan.window.filter(|window| window.age_ns.is_some());
            windows.extend(leaves);
            first && leaves.is_some()
        }
        Operator::Map { input, map } => projected(map).is_some_and(|inner| is_time(&inner, input, windows)),
        Operator::Union(inputs) => !inputs.is_empty() && inputs.iter().all(|input| is_time(expression, input, windows)),
        Operator::State(_)
        | Operator::Constant(_)
        | Operator::Clocked { .. }
        | Operator::Reduce { .. }
        | Operator::Join { .. }
        | Operator::Named { .. }
        | Operator::Keys
        | Operator::Distinct(_)
        | Operator::TopK { .. } => false,
    }
}

#[cfg(test)]
mod tests;
