//! A model is tried on real rows before it goes live: nothing is learned, nothing is flagged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{Observation, exceeds, guard, too_long};
use crate::manifest::Manifest;
use crate::model::{Item, Scorer};

/// Scores what a batch at `time` would score, within the budget; `clock` tells CPU time spent.
///
/// # Errors
/// In one line, what would suspend the detector.
pub fn trial(
    manifest: &Manifest,
    scorer: &mut dyn Scorer,
    time: i64,
    observations: &[Observation],
    clock: &dyn Fn() -> Duration,
) -> Result<(), String> {
    let scored: Vec<&Observation> =
        observations.iter().filter(|observation| manifest.is_enough(&observation.features)).collect();
    let mut memories = vec![Vec::new(); scored.len()];
    let mut items: Vec<Item<'_>> = scored
        .iter()
        .zip(&mut memories)
        .map(|(observation, memory)| Item {
            time,
            features: &observation.features,
            memory,
            score: None,
            baseline: vec![None; manifest.features.len()],
        })
        .collect();
    let before = clock();
    let took = || clock().saturating_sub(before);
    run(scorer, &mut items, &|| too_long(manifest, took()))?;
    let took = took();
    for (observation, item) in scored.iter().zip(&items) {
        check(&observation.subject, item.score)?;
    }
    match exceeds(manifest, took, scorer.bytes()) {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// Runs a model part by part, as long as nothing speaks against the next one; its panic is an error.
pub(super) fn run(
    scorer: &mut dyn Scorer,
    items: &mut [Item<'_>],
    against: &dyn Fn() -> Option<String>,
) -> Result<(), String> {
    for (at, items) in items.chunks_mut(scorer.part().max(1)).enumerate() {
        if at > 0
            && let Some(reason) = against()
        {
            return Err(reason);
        }
        let run = guard::guarded(|| catch_unwind(AssertUnwindSafe(|| scorer.score(items))));
        run.map_err(|panic| format!("the model panicked: {}", guard::message_of(panic.as_ref())))??;
    }
    Ok(())
}

/// A score is a number.
pub(super) fn check(subject: &str, score: Option<f64>) -> Result<(), String> {
    match score.filter(|score| !score.is_finite()) {
        Some(score) => Err(format!("the model gave {score} for {subject}")),
        None => Ok(()),
    }
}
