//! Nodes of trees as a file lists them, made into trees that can be walked.

use std::collections::{HashMap, HashSet};

use tract_onnx::tract_hir::internal::{TractResult, bail, format_err};

use super::forest::{Interval, Node, Tree, Weights};

/// A node of a tree, both known by number.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) tree: i64,
    pub(super) id: i64,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Branch {
        feature: u32,
        mode: Mode,
        value: f32,
        missing_is_true: bool,
        yes: i64,
        no: i64,
    },
    /// Targets with what is added to them.
    Leaf(Vec<(usize, f32)>),
}

/// How a feature is compared with a node's value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
}

impl Mode {
    pub(super) fn of(text: &str) -> TractResult<Self> {
        Ok(match text {
            "BRANCH_LEQ" => Mode::LessOrEqual,
            "BRANCH_LT" => Mode::Less,
            "BRANCH_GTE" => Mode::GreaterOrEqual,
            "BRANCH_GT" => Mode::Greater,
            "BRANCH_EQ" => Mode::Equal,
            "BRANCH_NEQ" => Mode::NotEqual,
            other => bail!("unknown mode of a node: {other}"),
        })
    }

    /// The lowest and the highest number for which it holds; of [`Mode::NotEqual`], for which it does not.
    fn ends(self, value: f32) -> (f32, f32) {
        let nothing = (f32::NAN, f32::NAN);
        match self {
            Mode::LessOrEqual => (f32::NEG_INFINITY, value),
            Mode::Less if value == f32::NEG_INFINITY => nothing,
            Mode::Less => (f32::NEG_INFINITY, value.next_down()),
            Mode::GreaterOrEqual => (value, f32::INFINITY),
            Mode::Greater if value == f32::INFINITY => nothing,
            Mode::Greater => (value.next_up(), f32::INFINITY),
            Mode::Equal | Mode::NotEqual => (value, value),
        }
    }
}

/// The trees of a listing, in its order. The first node of a tree is its root.
pub(super) fn trees(listed: &[Listed], targets: usize) -> TractResult<Vec<Tree>> {
    let positions = listed.iter().enumerate().map(|(at, node)| ((node.tree, node.id), at)).collect();
    let listing = Listing { listed, positions, targets };
    let mut seen = HashSet::new();
    let roots = listed.iter().enumerate().filter(|(_, node)| seen.insert(node.tree));
    roots.map(|(at, _)| listing.tree(at)).collect()
}

struct Listing<'a> {
    listed: &'a [Listed],
    positions: HashMap<(i64, i64), usize>,
    targets: usize,
}

impl Listing<'_> {
    fn tree(&self, root: usize) -> TractResult<Tree> {
        // Positions in the listing with their depths, level by level.
        let mut order = vec![(root, 0)];
        let mut seen = HashSet::from([root]);
        let (mut nodes, mut weights) = (Vec::new(), Vec::new());
        while let Some((position, depth)) = order.get(nodes.len()).copied() {
            let listed = &self.listed[position];
            let Kind::Branch { feature, mode, value, missing_is_true, yes, no } = &listed.kind else {
                nodes.push(Node::leaf(u32::try_from(nodes.len())?));
                weights.push(self.weights_of(listed));
                continue;
            };
            let (low, high) = mode.ends(*value);
            let (children, nan_is_inside) = match mode {
                Mode::NotEqual => ([no, yes], !missing_is_true),
                _ => ([yes, no], *missing_is_true),
            };
            nodes.push(Node::branch(*feature, Interval { low, high, nan_is_inside }, u32::try_from(order.len())?));
            weights.push(Vec::new());
            for id in children {
                let child = self.positions.get(&(listed.tree, *id)).copied();
                let child = child.ok_or_else(|| format_err!("node {id} of tree {} is missing", listed.tree))?;
                if !seen.insert(child) {
                    bail!("node {id} of tree {} has two parents", listed.tree);
                }
                order.push((child, depth + 1));
            }
        }
        let depth = order.last().map_or(0, |(_, depth)| *depth);
        Ok(Tree::new(nodes, depth, self.packed(weights)))
    }

    fn weights_of(&self, listed: &Listed) -> Vec<(usize, f32)> {
        match &listed.kind {
            Kind::Leaf(weights) => weights.clone(),
            Kind::Branch { .. } => Vec::new(),
        }
    }

    fn packed(&self, weights: Vec<Vec<(usize, f32)>>) -> Weights {
        if self.targets == 1 {
            let sum = |weights: &Vec<(usize, f32)>| weights.iter().map(|(_, weight)| weight).sum();
            return Weights::Single(weights.iter().map(sum).collect());
        }
        Weights::ByTarget(weights.into_iter().map(Vec::into_boxed_slice).collect())
    }
}
