//! `watershed detector backtest`.

use watershed_proto::v1;

use super::{Listing, Values, applied};
use crate::config::Settings;
use crate::detectors::replay::{self, Backtest};
use crate::failure::Outcome;
use crate::format::Format;

/// Prints a row for each flag that would have been raised, in the order of time.
pub(super) async fn backtest(settings: &Settings, request: v1::ApplyDetectorRequest, format: Format) -> Outcome {
    let Backtest { episodes, report } = replay::backtest(settings, &applied(request)).await?;
    let titles = ["raised", "cleared", "detector", "subject", "since", "score", "threshold", "reason", "evidence"];
    let mut listing = Listing::new("flags", &titles);
    for episode in &episodes {
        let flag = &episode.flag;
        let time = |time: u64| i64::try_from(time).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        listing.push([
            Values::Time(time(episode.raised)),
            Values::Time(episode.cleared.map_or(0, time)),
            Values::text(&flag.detector),
            Values::text(&flag.subject),
            Values::Time(flag.since),
            Values::text(flag.score.to_string()),
            Values::text(flag.threshold.to_string()),
            Values::text(&flag.reason),
            Values::text(&flag.evidence),
        ]);
    }
    super::super::print(&listing.answer(), format)?;
    if let Some(suspension) = &report.suspended {
        eprintln!("suspended: {}", suspension.reason);
    }
    let (batches, subjects) = (report.batches, report.subjects);
    eprintln!("{} flags in {batches} batches, {subjects} subjects at the end", episodes.len());
    Ok(())
}
