//! `watershed detector show`.

use std::time::Duration;

use watershed_proto::v1;

use super::{Listing, Values, refusal};
use crate::client::Detectors;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::sizes::human_bytes;

/// What is known of a detector, as `field`, `value` rows and its manifest.
pub(super) async fn show(detectors: &mut Detectors, name: String, format: Option<Format>) -> Outcome {
    let response = detectors.show(v1::ShowDetectorRequest { name }).await.map_err(|status| refusal(&status))?;
    let v1::ShowDetectorResponse { detector, manifest } = response.into_inner();
    let detector = detector.ok_or_else(|| Failure::failed("the server sent no detector"))?;
    let mut listing = Listing::new("detector", &["field", "value"]);
    for (field, value) in fields(&detector) {
        listing.push([field, value].map(Values::text));
    }
    if let Some(format) = format.filter(|format| *format != Format::Table) {
        return super::super::print(&listing.answer(), format);
    }
    super::super::print(&listing.answer(), Format::Table)?;
    super::super::print_text(&format!("\n{}\n", manifest.trim_end()))
}

/// `working`, `off`, or `suspended: reason`.
pub(super) fn state_of(detector: &v1::Detector) -> String {
    match (detector.enabled, detector.suspended.as_str()) {
        (false, _) => "off".to_owned(),
        (true, "") => "working".to_owned(),
        (true, reason) => format!("suspended: {reason}"),
    }
}

fn fields(detector: &v1::Detector) -> Vec<(String, String)> {
    let time = |nanoseconds: u64| format!("{:?}", Duration::from_nanos(nanoseconds));
    let field = |name: &str, value: String| (name.to_owned(), value);
    let mut fields = vec![
        field("name", detector.name.clone()),
        field("doc", detector.doc.clone()),
        field("bundled", if detector.bundled { "yes" } else { "no" }.to_owned()),
        field("kind", detector.kind.clone()),
        field("source", detector.source.clone()),
        field("state", state_of(detector)),
        field("version", detector.version.to_string()),
        field("subjects", detector.subjects.to_string()),
        field("flags", detector.flags.to_string()),
        field("scores", scores(&detector.scores)),
        field("batches", detector.batches.to_string()),
        field("time_last_batch", time(detector.last_batch_ns)),
        field("time_per_batch", time(detector.mean_batch_ns)),
        field("time_dearest_batch", time(detector.dearest_batch_ns)),
        field("time_budget", time(detector.batch_budget_ns)),
        field("memory", human_bytes(detector.bytes as f64)),
        field("memory_budget", human_bytes(detector.bytes_budget as f64)),
        field("errors", detector.errors.to_string()),
        field("unusable_features", detector.unusable.to_string()),
        field("evicted_subjects", detector.evicted.to_string()),
    ];
    if !detector.problem.is_empty() {
        fields.push(field("problem", detector.problem.clone()));
    }
    fields
}

fn scores(quantiles: &[f64]) -> String {
    let [min, p50, p90, p99, max] = quantiles else { return "none yet".to_owned() };
    format!("min {min:.3}, p50 {p50:.3}, p90 {p90:.3}, p99 {p99:.3}, max {max:.3}")
}
