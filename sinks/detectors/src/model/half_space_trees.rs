//! `half_space_trees`: how sparse the neighbourhood of a subject's features is among all that were seen lately, by trees
//! that halve the space at random (Tan, Ting, Liu: Fast Anomaly Detection for Streaming Data, 2011). The score is the
//! number of halvings by which it is sparser than usual.

use serde::{Deserialize, Serialize};

use super::{Item, Scorer};

/// Space beyond the values of the first window, as a share of their range, on each side.
const MARGIN: f64 = 0.5;
/// Largest depth: a tree has two to the power of it nodes.
const DEEPEST: u32 = 15;
/// Most trees.
const MOST_TREES: usize = 200;

/// `[model] kind = "half_space_trees"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Trees that vote.
    pub trees: usize,
    /// Halvings of the space.
    pub depth: u32,
    /// Subjects' features between two looks at what is usual.
    pub window: usize,
    /// Where the space is halved is drawn from this.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { trees: 25, depth: 8, window: 250, seed: 1 }
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.trees == 0 || self.trees > MOST_TREES {
            return Err(format!("`trees` is between 1 and {MOST_TREES}, not {}", self.trees));
        }
        if self.depth == 0 || self.depth > DEEPEST {
            return Err(format!("`depth` is between 1 and {DEEPEST}, not {}", self.depth));
        }
        if self.window < 10 {
            return Err(format!("`window` is at least 10, not {}", self.window));
        }
        Ok(())
    }
}

/// The scorer; it is shared by all subjects.
#[derive(Debug)]
pub(super) struct Forest {
    config: Config,
    state: State,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// The first window, from which the space is measured.
    first: Vec<Vec<f32>>,
    trees: Vec<Tree>,
    /// Features taken in since the last look.
    taken: usize,
    /// Mean density of the last window; 0 before there is one.
    usual: f64,
    /// Densities of this window, added up.
    densities: f64,
}

/// A tree in an array: the children of node `n` are `2n + 1` and `2n + 2`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Tree {
    /// Of each inner node: the feature, and where its space is halved.
    splits: Vec<(u16, f32)>,
    /// Of each node: features seen in the last window, and in this one.
    usual: Vec<u32>,
    latest: Vec<u32>,
}

impl Forest {
    pub(super) fn new(config: &Config) -> Self {
        Self { config: config.clone(), state: State::default() }
    }

    fn score_one(&mut self, features: &[f32]) -> Option<f64> {
        if self.state.trees.is_empty() {
            self.state.first.push(features.to_vec());
            if self.state.first.len() >= self.config.window {
                self.grow();
            }
            return None;
        }
        let window = self.config.window as f64;
        let sum: f64 = self.state.trees.iter_mut().map(|tree| tree.pass(features, window)).sum();
        let density = sum / self.state.trees.len() as f64;
        let score = (self.state.usual > 0.0).then(|| (self.state.usual / density.max(1.0 / window)).log2().max(0.0));
        self.state.densities += density;
        self.state.taken += 1;
        if self.state.taken >= self.config.window {
            self.look();
        }
        score
    }

    /// Measures the space and draws the trees.
    fn grow(&mut self) {
        let first = std::mem::take(&mut self.state.first);
        let width = first.iter().map(Vec::len).min().unwrap_or_default();
        let space: Vec<(f32, f32)> = (0..width).map(|feature| span(first.iter().map(|row| row[feature]))).collect();
        let mut random = Random(self.config.seed);
        let trees = (0..self.config.trees).map(|_| Tree::draw(&space, self.config.depth, &mut random));
        self.state.trees = trees.collect();
        for tree in &mut self.state.trees {
            first.iter().for_each(|row| tree.count(row));
            tree.look();
        }
        let window = self.config.window as f64;
        let densities = first.iter().map(|row| {
            let of_tree = |tree: &Tree| tree.density(row, window);
            self.state.trees.iter().map(of_tree).sum::<f64>() / self.config.trees as f64
        });
        self.state.usual = densities.sum::<f64>() / window;
    }

    /// What this window saw is usual for the next.
    fn look(&mut self) {
        self.state.trees.iter_mut().for_each(Tree::look);
        self.state.usual = self.state.densities / self.state.taken as f64;
        (self.state.taken, self.state.densities) = (0, 0.0);
    }
}

impl Tree {
    fn draw(space: &[(f32, f32)], depth: u32, random: &mut Random) -> Self {
        let inner = (1 << depth) - 1;
        let all = (1 << (depth + 1)) - 1;
        let mut tree = Tree { splits: vec![(0, 0.0); inner], usual: vec![0; all], latest: vec![0; all] };
        tree.halve(0, &mut space.to_vec(), random);
        tree
    }

    fn halve(&mut self, node: usize, space: &mut [(f32, f32)], random: &mut Random) {
        if node >= self.splits.len() || space.is_empty() {
            return;
        }
        let feature = random.below(space.len());
        let (low, high) = space[feature];
        let middle = f32::midpoint(low, high);
        self.splits[node] = (feature as u16, middle);
        space[feature] = (low, middle);
        self.halve(2 * node + 1, space, random);
        space[feature] = (middle, high);
        self.halve(2 * node + 2, space, random);
        space[feature] = (low, high);
    }

    /// The nodes from the root to a leaf.
    fn path(splits: &[(u16, f32)], features: &[f32], mut each: impl FnMut(usize)) {
        let mut node = 0;
        each(node);
        while let Some((feature, middle)) = splits.get(node) {
            let value = features.get(usize::from(*feature)).copied().unwrap_or_default();
            node = 2 * node + if value < *middle { 1 } else { 2 };
            each(node);
        }
    }

    fn count(&mut self, features: &[f32]) {
        let Tree { splits, latest, .. } = self;
        Self::path(splits, features, |node| latest[node] += 1);
    }

    /// How many times denser than the mean the last window is around the features: at the leaf, or above where the leaf
    /// is too empty to tell.
    fn density(&self, features: &[f32], window: f64) -> f64 {
        let mut density: f64 = 0.0;
        let mut volume = 1.0;
        let few = window / 10.0;
        let mut decided = false;
        Self::path(&self.splits, features, |node| {
            if !decided {
                let mass = f64::from(self.usual[node]);
                density = mass / window * volume;
                decided = mass < few;
                volume *= 2.0;
            }
        });
        density
    }

    /// The density, and then the features are counted.
    fn pass(&mut self, features: &[f32], window: f64) -> f64 {
        let density = self.density(features, window);
        self.count(features);
        density
    }

    fn look(&mut self) {
        std::mem::swap(&mut self.usual, &mut self.latest);
        self.latest.fill(0);
    }
}

/// The space of a feature: the values' range with a margin.
fn span(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let low = values.clone().reduce(f32::min).unwrap_or_default();
    let high = values.reduce(f32::max).unwrap_or_default();
    let margin = (f64::from(high - low) * MARGIN).max(f64::from(high.abs()) * 1e-3).max(1e-6) as f32;
    (low - margin, high + margin)
}

/// SplitMix64: the same trees from the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

impl Scorer for Forest {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        for item in items {
            item.score = self.score_one(item.features);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        let tree = |tree: &Tree| tree.splits.len() * size_of::<(u16, f32)>() + 8 * tree.usual.len();
        let first: usize = self.state.first.iter().map(|row| row.len() * size_of::<f32>()).sum();
        first + self.state.trees.iter().map(tree).sum::<usize>()
    }

    fn learned(&self) -> Option<serde_json::Value> {
        serde_json::to_value(&self.state).ok()
    }

    fn recall(&mut self, learned: serde_json::Value) {
        let Ok(state) = serde_json::from_value::<State>(learned) else { return };
        let nodes = (1 << (self.config.depth + 1)) - 1;
        let fits = |tree: &Tree| tree.usual.len() == nodes && tree.latest.len() == nodes;
        let fits = state.trees.iter().all(fits) && state.trees.len() <= self.config.trees;
        if fits {
            self.state = state;
        }
    }
}
