//! The functions that scripts have beside DataFusion's, and those of DataFusion's whose answer would depend on the
//! order of rows, replaced under the same names. `lower` knows aggregates by these names. PxL's are `px_<name>`, and
//! `<name>` where nothing else has it.

mod endpoint;
mod fold;
mod last;
mod lines;
mod pxl;
mod quantiles;
mod scalars;
mod sums;

use std::borrow::Cow;

use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::prelude::SessionContext;

pub(crate) use pxl::{is_table, register_status};
pub use quantiles::quantile_of;

/// A function for `docs` and completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDoc {
    /// What scripts call.
    pub name: Cow<'static, str>,
    /// Arguments and result.
    pub signature: Cow<'static, str>,
    /// What it does, in one or two sentences.
    pub doc: &'static str,
}

impl FunctionDoc {
    /// Whether a word is anywhere in it, in small or large letters; the empty word always is.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        [self.name.as_ref(), self.signature.as_ref(), self.doc].iter().any(|text| text.to_lowercase().contains(&word))
    }
}

/// Makes the functions known to a context.
pub fn register(context: &SessionContext) {
    use quantiles::{Buckets, Kind as Made};
    use scalars::{Kind, Scalar};
    context.register_udaf(AggregateUDF::from(sums::Sum::new()));
    context.register_udaf(AggregateUDF::from(sums::Avg::new()));
    context.register_udaf(AggregateUDF::from(last::Last::new()));
    context.register_udaf(AggregateUDF::from(lines::Lines::new()));
    for kind in [Made::Quantile, Made::Percentile, Made::Median, Made::Histogram, Made::Merge] {
        context.register_udaf(AggregateUDF::from(Buckets::new(kind)));
    }
    context.register_udf(ScalarUDF::from(endpoint::HttpEndpoint::new()));
    for kind in [
        Kind::UpidToString,
        Kind::UpidToPid,
        Kind::UpidToAsid,
        Kind::UpidIsKnown,
        Kind::HistogramQuantile,
        Kind::HistogramQuantileFloat,
        Kind::Bin,
    ] {
        context.register_udf(ScalarUDF::from(Scalar::new(kind)));
    }
    pxl::register(context);
    crate::metadata::register(context);
}

/// What [`register`] makes known, in alphabetical order.
#[must_use]
pub fn documented() -> Vec<FunctionDoc> {
    let of = |name: &'static str, signature: &'static str, doc| FunctionDoc {
        name: name.into(),
        signature: signature.into(),
        doc,
    };
    let mut all = vec![
        of("approx_median", "approx_median(number) -> same type", "`quantile(number, 0.5)`."),
        of(
            "approx_percentile_cont",
            "approx_percentile_cont(number, q) -> same type",
            "`quantile(number, q)`; also written `approx_percentile_cont(q) WITHIN GROUP (ORDER BY number)`.",
        ),
        of(
            "avg",
            "avg(number) -> FLOAT64",
            "Mean of a group: an exact sum (floats to 2^-32) divided once, so the order of rows does not matter.",
        ),
        of(
            "bin",
            "bin(time or INT64, width INT64) -> same type",
            "Rounds down to a multiple of the width; of a time, the width is in nanoseconds.",
        ),
        of(
            "histogram",
            "histogram(number) -> BINARY",
            "Counts of a group by buckets of 3 % of the value; to be merged, and read by histogram_quantile.",
        ),
        of(
            "histogram_quantile",
            "histogram_quantile(histogram BINARY, q FLOAT64) -> INT64",
            "The value at quantile q (0 to 1) of a histogram, within 1.6 %.",
        ),
        of(
            "histogram_quantile_float",
            "histogram_quantile_float(histogram BINARY, q FLOAT64) -> FLOAT64",
            "The value at quantile q (0 to 1) of a histogram, within 1.6 %, not rounded.",
        ),
        of(
            "http_endpoint",
            "http_endpoint(path STRING) -> STRING",
            "The path of a request target without its query and with numbers, uuids and long tokens as `{}`.",
        ),
        of(
            "last",
            "last(value, time) -> type of the value",
            "The value of the row with the largest time in a group; of several, the largest value.",
        ),
        of(
            "lines",
            "lines(text STRING) -> STRING",
            "The distinct lines of a group's texts in order, one below the other.",
        ),
        of("merge_histogram", "merge_histogram(histogram BINARY) -> BINARY", "The sum of a group's histograms."),
        of(
            "quantile",
            "quantile(number, q) -> same type",
            "The value at quantile q (a constant from 0 to 1) of a group, within 1.6 %; integers are cut to integers.",
        ),
        of(
            "sum",
            "sum(number) -> INT64 or FLOAT64",
            "Sum of a group; floats are added as multiples of 2^-32, so the order of rows does not matter.",
        ),
        of("upid_is_known", "upid_is_known(upid) -> BOOLEAN", "Whether the upid names a process; the id 0 does not."),
        of("upid_to_asid", "upid_to_asid(upid) -> INT64", "Number of the agent that saw the process."),
        of("upid_to_pid", "upid_to_pid(upid) -> INT64", "Process id on its host."),
        of("upid_to_string", "upid_to_string(upid) -> STRING", "The upid as `asid:pid:start_ticks`."),
    ];
    all.extend(pxl::documented());
    all.sort_by(|left, right| left.name.cmp(&right.name));
    all
}

#[cfg(test)]
mod tests;
