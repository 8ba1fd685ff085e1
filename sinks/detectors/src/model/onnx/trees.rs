//! `ai.onnx.ml.TreeEnsembleRegressor`: trees whose leaves are added up. The runtime has the classifier only.

mod forest;
mod listing;

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::cast::cast;
#[allow(clippy::wildcard_imports, reason = "the macros of tract name most of what is in it")]
use tract_onnx::tract_hir::internal::*;

pub(super) use forest::{Forest, Tree};
use listing::{Kind, Listed, Mode};

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
    let base = match node.get_attr_opt_vec::<f32>("base_values")? {
        Some(base) if base.len() != targets => {
            bail!("TreeEnsembleRegressor has {} base values for {targets} targets", base.len());
        }
        Some(base) => base,
        None => vec![0.0; targets],
    };
    let trees = listing::trees(&read_nodes(node, targets)?, targets)?;
    Ok((expand(Regressor(Sums::of(Forest { base, trees }))), Vec::new()))
}

fn read_nodes(proto: &NodeProto, targets: usize) -> TractResult<Vec<Listed>> {
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
    let mut leaves = read_leaves(proto, targets)?;
    let kind = |at: usize| -> TractResult<Kind> {
        if modes[at] == "LEAF" {
            return Ok(Kind::Leaf(leaves.remove(&(trees[at], ids[at])).unwrap_or_default()));
        }
        Ok(Kind::Branch {
            // The walk has a bit of it for a flag.
            feature: u32::try_from(i32::try_from(features[at])?)?,
            mode: Mode::of(modes[at])?,
            value: values[at],
            missing_is_true: missing.get(at).is_some_and(|flag| *flag != 0),
            yes: yes[at],
            no: no[at],
        })
    };
    let kinds = (0..trees.len()).map(kind).collect::<TractResult<Vec<_>>>()?;
    let listed = kinds.into_iter().zip(trees).zip(ids);
    Ok(listed.map(|((kind, tree), id)| Listed { tree: *tree, id: *id, kind }).collect())
}

/// Targets and weights by tree and node.
type Leaves = HashMap<(i64, i64), Vec<(usize, f32)>>;

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
        leaves.entry((trees[at], nodes[at])).or_default().push((target, weights[at]));
    }
    Ok(leaves)
}

/// The operator while shapes are inferred.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
struct Regressor(Sums);

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
        solver.equals(&outputs[0].shape[1], self.0.0.targets().to_dim())?;
        Ok(())
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let input = model.wire_node(format!("{prefix}.f32"), cast(f32::datum_type()), inputs)?;
        model.wire_node(prefix, self.0.clone(), &input)
    }
}

/// The operator as it is run: rows in, the sums of their leaves out.
#[derive(Debug, Clone)]
pub(super) struct Sums(Arc<Forest>);

impl Sums {
    pub(super) fn of(forest: Forest) -> Self {
        Self(Arc::new(forest))
    }

    pub(super) fn forest(&self) -> &Forest {
        &self.0
    }
}

/// Two forests are the same if they are one.
impl PartialEq for Sums {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Sums {}

impl Hash for Sums {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

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
        let [rows, width] = *input.shape() else { bail!("the input of trees is no matrix") };
        if width < self.0.width() {
            bail!("the input lacks feature {}", self.0.width() - 1);
        }
        let view = input.to_plain_array_view::<f32>()?;
        let sums = self.0.sums(view.as_standard_layout().as_slice().unwrap_or_default(), width);
        Ok(tvec!(Tensor::from_shape(&[rows, self.0.targets()], &sums)?.into_tvalue()))
    }
}

impl TypedOp for Sums {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let rows = inputs[0].shape.first().cloned().unwrap_or_else(|| 1.to_dim());
        Ok(tvec!(f32::fact([rows, self.0.targets().to_dim()])))
    }

    as_op!();
}

#[cfg(test)]
mod tests;
