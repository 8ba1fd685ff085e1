//! `ai.onnx.ml.LabelEncoder` from small whole numbers to floats, which is how converters look leaves of trees up.

use std::sync::Arc;

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::cast::cast;
#[allow(clippy::wildcard_imports, reason = "the macros of tract name most of what is in it")]
use tract_onnx::tract_hir::internal::*;

/// Largest key.
const LARGEST: i64 = 1 << 20;

/// The operator's node.
pub(super) fn parse(_: &ParsingContext<'_>, node: &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let keys = node.get_attr_opt_slice::<i64>("keys_int64s")?;
    let values = node.get_attr_opt_vec::<f32>("values_floats")?;
    let (Some(keys), Some(values)) = (keys, values) else {
        bail!("LabelEncoder is supported from int64 to float only");
    };
    let fallback: f32 = node.get_attr_opt("default_float")?.unwrap_or(-0.0);
    let largest = keys.iter().copied().max().unwrap_or(0);
    if keys.len() != values.len() || largest > LARGEST || keys.iter().any(|key| *key < 0) {
        bail!("LabelEncoder is supported for keys from 0 to {LARGEST} only");
    }
    let mut table = vec![fallback; largest as usize + 1];
    for (key, value) in keys.iter().zip(values) {
        table[*key as usize] = value;
    }
    let table: Vec<u32> = table.into_iter().map(f32::to_bits).collect();
    Ok((expand(LabelEncoder(Lookup { table: table.into(), fallback: fallback.to_bits() })), Vec::new()))
}

/// The operator while shapes are inferred.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
struct LabelEncoder(Lookup);

impl Expansion for LabelEncoder {
    fn name(&self) -> StaticName {
        "LabelEncoder".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)?;
        solver.equals(&outputs[0].datum_type, DatumType::F32)?;
        Ok(())
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let key = model.wire_node(format!("{prefix}.key"), cast(i64::datum_type()), inputs)?;
        model.wire_node(prefix, self.0.clone(), &key)
    }
}

/// The operator as it is run: values by key, floats as bits so that they can be compared and hashed.
#[derive(Debug, Clone, Hash, PartialEq, Eq)]
pub(super) struct Lookup {
    table: Arc<[u32]>,
    fallback: u32,
}

impl Op for Lookup {
    fn name(&self) -> StaticName {
        "Lookup".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Lookup {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let value = |key: &i64| {
            let found = usize::try_from(*key).ok().and_then(|key| self.table.get(key));
            f32::from_bits(found.copied().unwrap_or(self.fallback))
        };
        let values: Vec<f32> = input.to_plain_array_view::<i64>()?.iter().map(value).collect();
        Ok(tvec!(Tensor::from_shape(input.shape(), &values)?.into_tvalue()))
    }
}

impl TypedOp for Lookup {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.iter())))
    }

    as_op!();
}
