//! What a model does to the leaf that a row falls into is done once a leaf, when it is loaded, and trees whose values are
//! added up become one forest. Converters write an isolation forest as some thirty operators a tree; what is left is one.

use std::collections::HashMap;

use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::Add;
#[allow(clippy::wildcard_imports, reason = "a model's parts are all in it")]
use tract_onnx::tract_hir::internal::*;

use super::label_encoder::Lookup;
use super::trees::{Forest, Sums, Tree};

/// The same model with fewer operators.
///
/// # Errors
/// When a node of the model does not fit its inputs.
pub(super) fn fold(model: &TypedModel) -> TractResult<TypedModel> {
    let folded = TypedModel { symbols: model.symbols.clone(), ..TypedModel::default() };
    let mut folding = Folding { model, folded, known: HashMap::new(), wired: HashMap::new() };
    for id in model.eval_order()? {
        folding.take(model.node(id))?;
    }
    let outputs = model.outputs.iter().map(|outlet| folding.wired(*outlet)).collect::<TractResult<Vec<_>>>()?;
    folding.folded.select_output_outlets(&outputs)?;
    folding.folded.into_compact()
}

/// What a value is that is not computed from the row, but from the leaves that it falls into.
#[derive(Debug, Clone)]
enum Known {
    /// A function of the leaf of one tree: its values by node, `[nodes, 1]` of any type.
    OfLeaf { input: OutletId, tree: Tree, values: TValue },
    /// A sum over trees.
    Sum { input: OutletId, forest: Forest },
}

impl Known {
    fn of(sums: &Sums, input: OutletId) -> TractResult<Option<Self>> {
        let forest = sums.forest();
        let [base] = forest.base[..] else { return Ok(None) };
        Ok(Some(match &forest.trees[..] {
            [tree] => {
                let weights = tree.weights().unwrap_or_default().iter().map(|weight| base + weight);
                let values = Tensor::from_shape(&[tree.len(), 1], &weights.collect::<Vec<f32>>())?.into_tvalue();
                Known::OfLeaf { input, tree: tree.clone(), values }
            }
            _ => Known::Sum { input, forest: forest.clone() },
        }))
    }

    /// As a sum, if it is one of floats.
    fn as_sum(&self) -> Option<(OutletId, Forest)> {
        match self {
            Known::OfLeaf { input, tree, values } => {
                let values: Vec<f32> = values.to_plain_array_view::<f32>().ok()?.iter().copied().collect();
                Some((*input, Forest { base: vec![0.0], trees: vec![tree.with_weights(&values)] }))
            }
            Known::Sum { input, forest } => Some((*input, forest.clone())),
        }
    }
}

struct Folding<'a> {
    model: &'a TypedModel,
    folded: TypedModel,
    /// By outlet of `model`; inputs are outlets of `folded`.
    known: HashMap<OutletId, Known>,
    /// Outlets of `folded` by outlet of `model`.
    wired: HashMap<OutletId, OutletId>,
}

impl Folding<'_> {
    fn take(&mut self, node: &TypedNode) -> TractResult<()> {
        let outlet = OutletId::new(node.id, 0);
        let known = match node.op_as::<Sums>() {
            Some(sums) => {
                let input = self.wired(node.inputs[0])?;
                Known::of(sums, input)?
            }
            None => self.of_leaf(node).or_else(|| self.sum(node)),
        };
        match known {
            Some(known) => drop(self.known.insert(outlet, known)),
            None => drop(self.wire(node)?),
        }
        Ok(())
    }

    /// The node as a function of the leaf of one tree.
    fn of_leaf(&self, node: &TypedNode) -> Option<Known> {
        let is_by_element = node.op_is::<ElementWiseOp>()
            || node.op_is::<TypedBinOp>()
            || node.op_is::<Cast>()
            || node.op_is::<Lookup>();
        if !is_by_element {
            return None;
        }
        let mut found: Option<(OutletId, &Tree)> = None;
        let mut inputs = TVec::new();
        for outlet in &node.inputs {
            match self.known.get(outlet) {
                Some(Known::OfLeaf { input, tree, values }) => {
                    if found.is_some_and(|(other, of)| other != *input || !of.has_leaves_of(tree)) {
                        return None;
                    }
                    found = Some((*input, tree));
                    inputs.push(values.clone());
                }
                Some(Known::Sum { .. }) => return None,
                None => {
                    let constant = self.model.outlet_fact(*outlet).ok()?.konst.clone()?;
                    inputs.push(Some(constant).filter(|constant| constant.len() == 1)?.into_tvalue());
                }
            }
        }
        let (input, tree) = found?;
        // An operator that fails on leaves fails on rows, where it is told.
        let values = node.op.eval_out_of_plan(inputs).ok()??.into_iter().next()?;
        let is_by_leaf = values.shape() == [tree.len(), 1];
        is_by_leaf.then(|| Known::OfLeaf { input, tree: tree.clone(), values })
    }

    /// The node as a sum over trees that see the same rows.
    fn sum(&self, node: &TypedNode) -> Option<Known> {
        if !node.op_as::<TypedBinOp>()?.0.is::<Add>() {
            return None;
        }
        let (input, mut forest) = self.known.get(node.inputs.first()?)?.as_sum()?;
        let (other, more) = self.known.get(node.inputs.get(1)?)?.as_sum()?;
        if input != other {
            return None;
        }
        forest.base[0] += more.base[0];
        forest.trees.extend(more.trees);
        Some(Known::Sum { input, forest })
    }

    /// The outlet in the folded model.
    fn wired(&mut self, outlet: OutletId) -> TractResult<OutletId> {
        if let Some(wired) = self.wired.get(&outlet) {
            return Ok(*wired);
        }
        let node = self.model.node(outlet.node);
        let Some((input, forest)) = self.known.get(&outlet).and_then(Known::as_sum) else {
            self.wire(node)?;
            return self.wired.get(&outlet).copied().ok_or_else(|| format_err!("{node} has no such output"));
        };
        let wired = self.folded.wire_node(&node.name, Sums::of(forest), &[input])?[0];
        self.wired.insert(outlet, wired);
        Ok(wired)
    }

    fn wire(&mut self, node: &TypedNode) -> TractResult<()> {
        let outlets = if self.model.inputs.contains(&OutletId::new(node.id, 0)) {
            tvec!(self.folded.add_source(&node.name, node.outputs[0].fact.clone())?)
        } else {
            let inputs = node.inputs.iter().map(|outlet| self.wired(*outlet)).collect::<TractResult<TVec<_>>>()?;
            self.folded.wire_node(&node.name, node.op.clone(), &inputs)?
        };
        for (slot, outlet) in outlets.into_iter().enumerate() {
            self.wired.insert(OutletId::new(node.id, slot), outlet);
        }
        Ok(())
    }
}
