//! What views share: sides of joins that are made of state tables alone. Each is kept once, for all views that use it.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;

use super::{Join, Node, Operator, identity};

/// A side of a join that can be shared.
#[derive(Debug, Clone)]
pub struct Side<'a> {
    /// Equal for sides that are the same.
    pub identity: String,
    /// What makes its rows.
    pub node: &'a Node,
    /// What they are joined by.
    pub keys: &'a [Arc<dyn PhysicalExpr>],
}

/// What makes two parts of plans the same, if they are made of state tables; scans of event tables are not shared.
#[must_use]
pub fn state_identity(node: &Node) -> Option<String> {
    (!node.reads_events()).then(|| identity::of_node(node)).flatten()
}

/// As [`state_identity`], of a side of a join.
#[must_use]
pub fn side_identity(node: &Node, keys: &[Arc<dyn PhysicalExpr>]) -> Option<String> {
    Some(state_identity(node)? + &identity::of_expressions(keys))
}

/// Whether a side of a join can be shared: all that is wanted of its rows is to be the partners of others.
#[must_use]
pub fn can_share(kind: JoinType, left: bool) -> bool {
    use JoinType::{Full, Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    match kind {
        Inner => true,
        Left | LeftSemi | LeftAnti | LeftMark => !left,
        Right | RightSemi | RightAnti | RightMark => left,
        Full => false,
    }
}

/// Which side of a join is a table that the rows of the other one are looked up in; `true` is the left one. A condition
/// beside the keys is one of pairs, which a look-up does not know, nor does it find anything without a key.
#[must_use]
pub fn looked_up(left: &Node, right: &Node, join: &Join) -> Option<bool> {
    let is_table = |node: &Node, is_left| can_share(join.kind, is_left) && state_identity(node).is_some();
    if join.filter.is_some() || join.left_keys.is_empty() {
        return None;
    }
    let found = [(right, false), (left, true)].into_iter().find(|(node, is_left)| is_table(node, *is_left));
    found.map(|(_, is_left)| is_left)
}

/// The sides of joins below a node that can be shared, each once; those that others are made of come first.
#[must_use]
pub fn shareable(node: &Node) -> Vec<Side<'_>> {
    let mut sides: Vec<Side<'_>> = node.inputs().into_iter().flat_map(shareable).collect();
    if let Operator::Join { left, right, join } = &node.operator {
        for (node, keys, is_left) in [(left, &join.left_keys, true), (right, &join.right_keys, false)] {
            let identity = can_share(join.kind, is_left).then(|| side_identity(node, keys)).flatten();
            sides.extend(identity.map(|identity| Side { identity, node, keys }));
        }
    }
    let mut known = HashSet::new();
    sides.retain(|side| known.insert(side.identity.clone()));
    sides
}
