//! `ai.onnx.ml.TreeEnsembleRegressor`: trees whose leaves are added up. The runtime has the classifier only.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::cast::cast;
#[allow(clippy::wildcard_imports, reason = "the macros of tract name most of what is in it")]
use tract_onnx::tract_hir::internal::*;

/// No path of a tree is longer.
const DEEPEST: usize = 10_000;

/// The operator's node.
pub(super) fn parse(_: &ParsingContext<'_>, node: &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let attribute: Option<&str> = node.get_attr_opt("post_transform")?;
    if attribute.is_some_and(|transform| transform != "NONE") {
        bail!("TreeEnsembleRegressor is supported without post_transform only");
    }
    let aggregate: Option<&str> = node.get_attr_opt("aggregate_function")?;
    if aggregate.is_some_and(|aggregate| aggregate != "SUM") {
        bail!("TreeEnsembleRegressor is supported with aggregate_function SUM only");
    }
    let targets: usize = node.get_attr("n_targets")?;
    let mut forest =
        Forest { targets, base: vec![0; targets], roots: Vec::new(), nodes: Vec::new(), leaves: Vec::new() };
    if let Some(base) = node.get_attr_opt_vec::<f32>("base_values")? {
        if base.len() != targets {
            bail!("TreeEnsembleRegressor has {} base values for {targets} targets", base.len());
        }
        forest.base = base.into_iter().map(f32::to_bits).collect();
    }
    read_nodes(node, &mut forest)?;
    Ok((expand(Regressor(Arc::new(forest))), Vec::new()))
}

/// All trees in arrays; floats as bits, so that they can be compared and hashed.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
struct Forest {
    targets: usize,
    base: Vec<u32>,
    roots: Vec<usize>,
    nodes: Vec<Node>,
    /// Target and weight.
    leaves: Vec<(usize, u32)>,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq)]
enum Node {
    Branch { feature: usize, value: u32, mode: Mode, missing_is_true: bool, yes: usize, no: usize },
    Leaf { first: usize, end: usize },
}

#[derive(Debug, Clone, Copy, Hash, PartialEq, Eq)]
enum Mode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
}

impl Mode {
    fn of(text: &str) -> TractResult<Self> {
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

    #[allow(clippy::float_cmp)] // That is what the mode says.
    fn holds(self, left: f32, right: f32) -> bool {
        match self {
            Mode::LessOrEqual => left <= right,
            Mode::Less => left < right,
            Mode::GreaterOrEqual => left >= right,
            Mode::Greater => left > right,
            Mode::Equal => left == right,
            Mode::NotEqual => left != right,
        }
    }
}

fn read_nodes(proto: &NodeProto, forest: &mut Forest) -> TractResult<()> {
    let trees = proto.get_attr_slice::<i64>("nodes_treeids")?;
    let ids = proto.get_attr_slice::<i64>("nodes_nodeids")?;
    let features = proto.get_attr_slice::<i64>("nodes_featureids")?;
    let values = proto.get_attr_vec::<f32>("nodes_values")?;
    let modes = proto.get_attr_vec::<&str>("nodes_modes")?;
    let yes = proto.get_attr_slice::<i64>("nodes_truenodeids")?;
    let no = proto.get_attr_slice::<i64>("nodes_falsenodeids")?;
    let missing = proto.get_attr_opt_slice::<i64>("nodes_missing_value_tracks_true")?.unwrap_or(&[]);
    let lengths = [ids.len(), features.len(), values.len(), modes.len(), yes.len(), no.len()];
    if lengths.iter().any(|length| *length != trees.len()) {
        bail!("TreeEnsembleRegressor has attributes of nodes of different lengths");
    }
    let positions: HashMap<(i64, i64), usize> =
        trees.iter().copied().zip(ids.iter().copied()).enumerate().map(|(at, key)| (key, at)).collect();
    let mut leaves = read_leaves(proto, forest.targets)?;
    let child = |tree: i64, id: i64| {
        positions.get(&(tree, id)).copied().ok_or_else(|| format_err!("node {id} of tree {tree} is missing"))
    };
    for at in 0..trees.len() {
        if at == 0 || trees[at] != trees[at - 1] {
            forest.roots.push(at);
        }
        let node = if modes[at] == "LEAF" {
            let first = forest.leaves.len();
            forest.leaves.extend(leaves.remove(&(trees[at], ids[at])).unwrap_or_default());
            Node::Leaf { first, end: forest.leaves.len() }
        } else {
            Node::Branch {
                feature: usize::try_from(features[at])?,
                value: values[at].to_bits(),
                mode: Mode::of(modes[at])?,
                missing_is_true: missing.get(at).is_some_and(|flag| *flag != 0),
                yes: child(trees[at], yes[at])?,
                no: child(trees[at], no[at])?,
            }
        };
        forest.nodes.push(node);
    }
    Ok(())
}

type Leaves = HashMap<(i64, i64), Vec<(usize, u32)>>;

fn read_leaves(proto: &NodeProto, targets: usize) -> TractResult<Leaves> {
    let trees = proto.get_attr_slice::<i64>("target_treeids")?;
    let nodes = proto.get_attr_slice::<i64>("target_nodeids")?;
    let ids = proto.get_attr_slice::<i64>("target_ids")?;
    let weights = proto.get_attr_vec::<f32>("target_weights")?;
    if [nodes.len(), ids.len(), weights.len()].iter().any(|length| *length != trees.len()) {
        bail!("TreeEnsembleRegressor has attributes of targets of different lengths");
    }
    let mut leaves = Leaves::new();
    for at in 0..trees.len() {
        let target = usize::try_from(ids[at])?;
        if target >= targets {
            bail!("TreeEnsembleRegressor names target {target} of {targets}");
        }
        leaves.entry((trees[at], nodes[at])).or_default().push((target, weights[at].to_bits()));
    }
    Ok(leaves)
}

impl Forest {
    /// The sums of the leaves that a row falls into.
    fn sums(&self, row: &[f32]) -> TractResult<Vec<f32>> {
        let mut sums: Vec<f32> = self.base.iter().map(|bits| f32::from_bits(*bits)).collect();
        for root in &self.roots {
            for (target, weight) in &self.leaves[self.leaf(*root, row)?] {
                sums[*target] += f32::from_bits(*weight);
            }
        }
        Ok(sums)
    }

    fn leaf(&self, root: usize, row: &[f32]) -> TractResult<std::ops::Range<usize>> {
        let mut at = root;
        for _ in 0..DEEPEST {
            match &self.nodes[at] {
                Node::Leaf { first, end } => return Ok(*first..*end),
                Node::Branch { feature, value, mode, missing_is_true, yes, no } => {
                    let Some(found) = row.get(*feature) else { bail!("the input lacks feature {feature}") };
                    let holds =
                        if found.is_nan() { *missing_is_true } else { mode.holds(*found, f32::from_bits(*value)) };
                    at = if holds { *yes } else { *no };
                }
            }
        }
        bail!("a tree has a loop")
    }
}

/// The operator while shapes are inferred.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
struct Regressor(Arc<Forest>);

impl Expansion for Regressor {
    fn name(&self) -> StaticName {
        "TreeEnsembleRegressor".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[0].rank, 2)?;
        solver.equals(&outputs[0].rank, 2)?;
        solver.equals(&outputs[0].datum_type, DatumType::F32)?;
        solver.equals(&inputs[0].shape[0], &outputs[0].shape[0])?;
        solver.equals(&outputs[0].shape[1], self.0.targets.to_dim())?;
        Ok(())
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let input = model.wire_node(format!("{prefix}.f32"), cast(f32::datum_type()), inputs)?;
        model.wire_node(prefix, Sums(Arc::clone(&self.0)), &input)
    }
}

/// The operator as it is run.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
struct Sums(Arc<Forest>);

impl Op for Sums {
    fn name(&self) -> StaticName {
        "TreeSums".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Sums {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let rows = input.to_plain_array_view::<f32>()?;
        let mut sums = Vec::new();
        for row in rows.outer_iter() {
            let row: Vec<f32> = row.iter().copied().collect();
            sums.extend(self.0.sums(&row)?);
        }
        let shape = [rows.shape().first().copied().unwrap_or_default(), self.0.targets];
        Ok(tvec!(Tensor::from_shape(&shape, &sums)?.into_tvalue()))
    }
}

impl TypedOp for Sums {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let rows = inputs[0].shape.first().cloned().unwrap_or_else(|| 1.to_dim());
        Ok(tvec!(f32::fact([rows, self.0.targets.to_dim()])))
    }

    as_op!();
}
