//! Trees as they are walked: nodes of 16 bytes that lie level by level, and rows in blocks over one tree after the other,
//! so that the tree stays in the cache and the walks of a block overlap. Knows nothing of ONNX.

use std::sync::Arc;

/// Rows that walk down a tree side by side.
const LANES: usize = 8;
/// Flag of a feature: what is not a number counts as inside.
const NAN_IS_INSIDE: u32 = 1 << 31;

/// Trees whose leaves are added up.
#[derive(Debug, Clone)]
pub(in super::super) struct Forest {
    /// What the sums begin with, one for each target.
    pub(in super::super) base: Vec<f32>,
    pub(in super::super) trees: Vec<Tree>,
}

/// A tree; its nodes are shared with the same tree with other weights.
#[derive(Debug, Clone)]
pub(in super::super) struct Tree {
    nodes: Arc<[Node]>,
    depth: usize,
    weights: Weights,
}

/// What the leaves add, by node.
#[derive(Debug, Clone)]
pub(in super::super) enum Weights {
    /// To the only target.
    Single(Arc<[f32]>),
    /// To each of the targets named.
    ByTarget(Arc<[TargetWeights]>),
}

/// Targets, and what a leaf adds to each.
type TargetWeights = Box<[(usize, f32)]>;

/// Asks whether a feature lies in an interval: the first child is next if it does, else the one behind it. A leaf has all
/// values inside and is its own first child.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    low: f32,
    high: f32,
    feature: u32,
    child: u32,
}

/// Values for which the first child is next; both ends are inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interval {
    pub(super) low: f32,
    pub(super) high: f32,
    pub(super) nan_is_inside: bool,
}

impl Node {
    /// `child` is the first of two that follow each other.
    pub(super) fn branch(feature: u32, interval: Interval, child: u32) -> Self {
        let flag = if interval.nan_is_inside { NAN_IS_INSIDE } else { 0 };
        Self { low: interval.low, high: interval.high, feature: feature & !NAN_IS_INSIDE | flag, child }
    }

    pub(super) fn leaf(at: u32) -> Self {
        let all = Interval { low: f32::NEG_INFINITY, high: f32::INFINITY, nan_is_inside: true };
        Self::branch(0, all, at)
    }

    fn next(self, row: &[f32]) -> u32 {
        let value = row[(self.feature & !NAN_IS_INSIDE) as usize];
        // Not a chain of `&&`: which way a row goes cannot be predicted, so there is nothing to jump over.
        let is_inside =
            (self.low <= value) & (value <= self.high) | value.is_nan() & (self.feature & NAN_IS_INSIDE != 0);
        self.child + u32::from(!is_inside)
    }
}

impl Forest {
    /// Numbers that are summed for each row.
    pub(super) fn targets(&self) -> usize {
        self.base.len()
    }

    /// Features that a row must have.
    pub(super) fn width(&self) -> usize {
        self.trees.iter().map(Tree::width).max().unwrap_or_default()
    }

    /// The sums of rows of `width` features each, which must not be less than [`Forest::width`].
    pub(super) fn sums(&self, rows: &[f32], width: usize) -> Vec<f32> {
        let (width, targets) = (width.max(1), self.targets());
        let mut sums = self.base.repeat(rows.len() / width);
        for tree in &self.trees {
            for (rows, sums) in rows.chunks(LANES * width).zip(sums.chunks_mut(LANES * targets)) {
                tree.add(rows, width, sums);
            }
        }
        sums
    }
}

impl Tree {
    /// Nodes by level, as deep as `depth`, the root first.
    pub(super) fn new(nodes: Vec<Node>, depth: usize, weights: Weights) -> Self {
        Self { nodes: nodes.into(), depth, weights }
    }

    /// Number of nodes.
    pub(in super::super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether rows fall into the same leaves of both.
    pub(in super::super) fn has_leaves_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.nodes, &other.nodes)
    }

    /// What its leaves add to the only target, by node; `None` if there are more.
    pub(in super::super) fn weights(&self) -> Option<&[f32]> {
        match &self.weights {
            Weights::Single(weights) => Some(weights),
            Weights::ByTarget(_) => None,
        }
    }

    /// The same tree with other weights.
    pub(in super::super) fn with_weights(&self, weights: &[f32]) -> Self {
        Self { weights: Weights::Single(weights.into()), ..self.clone() }
    }

    fn width(&self) -> usize {
        let features = self.nodes.iter().map(|node| node.feature & !NAN_IS_INSIDE);
        features.max().map_or(0, |feature| feature as usize + 1)
    }

    fn add(&self, rows: &[f32], width: usize, sums: &mut [f32]) {
        let leaves = self.leaves(rows, width);
        match &self.weights {
            Weights::Single(weights) => {
                for (sum, leaf) in sums.iter_mut().zip(leaves) {
                    *sum += weights[leaf as usize];
                }
            }
            Weights::ByTarget(weights) => {
                let targets = sums.len() / (rows.len() / width).max(1);
                for (sums, leaf) in sums.chunks_mut(targets.max(1)).zip(leaves) {
                    for (target, weight) in &weights[leaf as usize] {
                        sums[*target] += weight;
                    }
                }
            }
        }
    }

    /// The leaves that up to [`LANES`] rows fall into.
    fn leaves(&self, rows: &[f32], width: usize) -> [u32; LANES] {
        let mut at = [0; LANES];
        for _ in 0..self.depth {
            let before = at;
            for (at, row) in at.iter_mut().zip(rows.chunks_exact(width)) {
                *at = self.nodes[*at as usize].next(row);
            }
            if at == before {
                break;
            }
        }
        at
    }
}
