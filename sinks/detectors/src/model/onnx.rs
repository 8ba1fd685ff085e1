//! `onnx`: a model trained elsewhere, run by tract. Input `[batch, features]` of f32, output a score `[batch]` or
//! `[batch, 1]`.

mod label_encoder;
mod leaves;
mod load;
mod trees;

use std::sync::Arc;

use serde::Deserialize;
use tract_onnx::prelude::{Tensor, TypedRunnableModel};

use super::{Item, Scorer};

pub use load::{LARGEST, load};

/// Subjects that are scored together: models are compiled for so many, and batches are padded.
const ROWS: usize = 32;
/// Subjects after which a batch may be given up.
const PART: usize = 1024;

/// `[model] kind = "onnx"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file, beside the manifest.
    pub file: String,
    /// Name of the output that is the score; the first one of floats if nothing is said.
    pub output: Option<String>,
}

impl Config {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.file.is_empty() { Err("`file` names the model's file".to_owned()) } else { Ok(()) }
    }
}

/// The scorer.
#[derive(Debug)]
pub struct Onnx {
    plan: Arc<TypedRunnableModel>,
    features: usize,
    bytes: usize,
}

impl Onnx {
    /// Scores of up to [`ROWS`] rows, `features` values each.
    fn run(&self, mut values: Vec<f32>) -> Result<Vec<f32>, String> {
        values.resize(ROWS * self.features, 0.0);
        let input = Tensor::from_shape(&[ROWS, self.features], &values).map_err(|error| one_line(&error))?;
        let outputs = self.plan.run([input.into()].into_iter().collect()).map_err(|error| one_line(&error))?;
        let output = outputs.first().ok_or("the model gave no output")?;
        let scores = output.to_plain_array_view::<f32>().map_err(|error| one_line(&error))?;
        Ok(scores.iter().copied().collect())
    }
}

impl Scorer for Onnx {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        for items in items.chunks_mut(ROWS) {
            let values = items.iter().flat_map(|item| item.features.iter().copied()).collect();
            let scores = self.run(values)?;
            for (item, score) in items.iter_mut().zip(scores) {
                item.score = Some(f64::from(score));
            }
        }
        Ok(())
    }

    fn part(&self) -> usize {
        PART
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The causes of an error, without line ends.
fn one_line(error: &tract_onnx::prelude::TractError) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
