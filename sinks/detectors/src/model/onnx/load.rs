//! A model's file, checked and compiled.

use std::collections::BTreeSet;
use std::io::Cursor;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{DatumType, Framework as _, InferenceModelExt as _, IntoRunnable as _, TypedModel};
use tract_onnx::tract_hir::infer::Factoid as _;
use tract_onnx::tract_hir::internal::InferenceFact;

use super::{Config, Onnx, ROWS, label_encoder, leaves, one_line, trees};
use crate::manifest::Manifest;

/// Operator sets of ONNX that the runtime knows.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=18;
/// Bytes of the largest file that is loaded.
pub const LARGEST: usize = 64 << 20;

/// Checks a model's file against the manifest and compiles it.
///
/// # Errors
/// In one line: the operator set, an operator, a shape, or the file as such.
pub fn load(config: &Config, bytes: &[u8], manifest: &Manifest) -> Result<Onnx, String> {
    let features = manifest.features.len();
    let wrong = |message: String| format!("`{}`: {message}", config.file);
    let model = read(config, bytes, features)?;
    let model = leaves::fold(&model).and_then(TypedModel::into_optimized);
    let model = model.map_err(|error| wrong(one_line(&error)))?;
    let bytes = bytes.len() + held(&model);
    let plan = model.into_runnable().map_err(|error| wrong(one_line(&error)))?;
    let onnx = Onnx { plan, features, bytes };
    onnx.run(vec![0.0; features]).map_err(|message| wrong(format!("it does not run: {message}")))?;
    Ok(onnx)
}

/// The model of a file, with its score as the only output.
pub(super) fn read(config: &Config, bytes: &[u8], features: usize) -> Result<TypedModel, String> {
    let file = &config.file;
    if bytes.is_empty() {
        return Err(format!("`{file}` is empty or was not sent along"));
    }
    if bytes.len() > LARGEST {
        return Err(format!("`{file}` has {} bytes; {LARGEST} is the most", bytes.len()));
    }
    let wrong = |message: String| format!("`{file}`: {message}");
    let mut onnx = tract_onnx::onnx();
    onnx.op_register.insert("TreeEnsembleRegressor", trees::parse);
    onnx.op_register.insert("LabelEncoder", label_encoder::parse);
    let proto = onnx.proto_model_for_read(&mut Cursor::new(bytes));
    let proto = proto.map_err(|_| wrong("this is no ONNX model".to_owned()))?;
    check_opset(&proto).map_err(wrong)?;
    check_operators(&proto, &onnx).map_err(wrong)?;
    typed(&onnx, &proto, config, features).map_err(wrong)
}

fn check_opset(proto: &ModelProto) -> Result<(), String> {
    for import in &proto.opset_import {
        match import.domain.as_str() {
            "" | "ai.onnx" if !OPSETS.contains(&import.version) => {
                let (first, last) = (OPSETS.start(), OPSETS.end());
                return Err(format!(
                    "operator set {} is not supported; convert it to {first} to {last}",
                    import.version
                ));
            }
            "" | "ai.onnx" | "ai.onnx.ml" => {}
            other => return Err(format!("operators of `{other}` are not supported; only those of ONNX are")),
        }
    }
    Ok(())
}

fn check_operators(proto: &ModelProto, onnx: &tract_onnx::Onnx) -> Result<(), String> {
    let nodes = proto.graph.iter().flat_map(|graph| &graph.node);
    let unknown: BTreeSet<&str> = nodes
        .map(|node| node.op_type.as_str())
        .filter(|operator| !onnx.op_register.0.contains_key(*operator))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!("operators that are not supported: {}", unknown.into_iter().collect::<Vec<_>>().join(", ")))
}

fn typed(onnx: &tract_onnx::Onnx, proto: &ModelProto, config: &Config, features: usize) -> Result<TypedModel, String> {
    let mut model = onnx.model_for_proto_model(proto).map_err(|error| one_line(&error))?;
    let inputs = model.input_outlets().map_err(|error| one_line(&error))?.len();
    if inputs != 1 {
        return Err(format!("it has {inputs} inputs; one of [batch, features] is expected"));
    }
    let declared = model.input_fact(0).map_err(|error| one_line(&error))?;
    check_input(declared, features)?;
    if let Some(output) = &config.output {
        model = model.with_outputs_by_name([output]).map_err(|_| format!("it has no output `{output}`"))?;
    }
    let input = InferenceFact::dt_shape(DatumType::F32, [ROWS, features]);
    let model = model.with_input_fact(0, input).map_err(|error| one_line(&error))?;
    let mut model = model.into_typed().map_err(|error| one_line(&error))?;
    choose_output(&mut model)?;
    model.into_decluttered().map_err(|error| one_line(&error))
}

fn check_input(declared: &InferenceFact, features: usize) -> Result<(), String> {
    if let Some(datum_type) = declared.datum_type.concretize()
        && datum_type != DatumType::F32
    {
        return Err(format!("its input is of {datum_type:?}; f32 is expected"));
    }
    let width = declared.shape.dim(1).and_then(|dim| dim.concretize()).and_then(|dim| dim.as_i64());
    match width {
        Some(width) if width != features as i64 => {
            Err(format!("its input has {width} features, the manifest names {features}"))
        }
        _ => Ok(()),
    }
}

/// Keeps the first output that can be a score.
fn choose_output(model: &mut TypedModel) -> Result<(), String> {
    let outputs = model.output_outlets().map_err(|error| one_line(&error))?.to_vec();
    let mut seen = Vec::new();
    for outlet in outputs {
        let fact = model.outlet_fact(outlet).map_err(|error| one_line(&error))?;
        let shape: Vec<i64> = fact.shape.iter().map(|dim| dim.as_i64().unwrap_or(-1)).collect();
        let rows = ROWS as i64;
        if fact.datum_type == DatumType::F32 && (shape == [rows] || shape == [rows, 1]) {
            return model.select_output_outlets(&[outlet]).map_err(|error| one_line(&error));
        }
        let shape: Vec<String> =
            shape.iter().map(|dim| if *dim == rows { "batch".to_owned() } else { dim.to_string() }).collect();
        seen.push(format!("{:?} [{}]", fact.datum_type, shape.join(", ")));
    }
    Err(format!("no output is a score, f32 of [batch] or [batch, 1]; there are {}", seen.join(" and ")))
}

/// Bytes of what lies between the operators during a run.
fn held(model: &TypedModel) -> usize {
    let outlets = model.nodes().iter().flat_map(|node| &node.outputs);
    let bytes = |shape: &[i64], of: usize| shape.iter().map(|dim| (*dim).max(1) as usize).product::<usize>() * of;
    outlets
        .map(|outlet| {
            let shape: Vec<i64> = outlet.fact.shape.iter().map(|dim| dim.as_i64().unwrap_or(1)).collect();
            bytes(&shape, outlet.fact.datum_type.size_of())
        })
        .sum()
}
