//! Our functions that are not PxL's: signature, doc and implementation, each once.

use datafusion::logical_expr::{AggregateUDF, AggregateUDFImpl, ScalarUDF};

use super::quantiles::{Buckets, Kind as Made};
use super::scalars::{Kind, Scalar};
use super::{endpoint, last, lines, sums};

/// What a context knows.
pub(super) enum Udf {
    Scalar(ScalarUDF),
    Aggregate(AggregateUDF),
}

/// Signature, what it does, and how it is made.
type Function = (&'static str, &'static str, fn() -> Udf);

pub(super) static FUNCTIONS: [Function; 17] = [
    ("approx_median(number) -> same type", "`quantile(number, 0.5)`.", || buckets(Made::Median)),
    (
        "approx_percentile_cont(number, q) -> same type",
        "`quantile(number, q)`; also written `approx_percentile_cont(q) WITHIN GROUP (ORDER BY number)`.",
        || buckets(Made::Percentile),
    ),
    (
        "avg(number) -> FLOAT64",
        "Mean of a group: an exact sum (floats to 2^-32) divided once, so the order of rows does not matter.",
        || aggregate(sums::Avg::new()),
    ),
    (
        "bin(time or INT64, width INT64) -> same type",
        "Rounds down to a multiple of the width; of a time, the width is in nanoseconds.",
        || scalar(Kind::Bin),
    ),
    (
        "histogram(number) -> BINARY",
        "Counts of a group by buckets of 3 % of the value; to be merged, and read by histogram_quantile.",
        || buckets(Made::Histogram),
    ),
    (
        "histogram_quantile(histogram BINARY, q FLOAT64) -> INT64",
        "The value at quantile q (0 to 1) of a histogram, within 1.6 %.",
        || scalar(Kind::HistogramQuantile),
    ),
    (
        "histogram_quantile_float(histogram BINARY, q FLOAT64) -> FLOAT64",
        "The value at quantile q (0 to 1) of a histogram, within 1.6 %, not rounded.",
        || scalar(Kind::HistogramQuantileFloat),
    ),
    (
        "http_endpoint(path STRING) -> STRING",
        "The path of a request target without its query and with numbers, uuids and long tokens as `{}`.",
        || Udf::Scalar(ScalarUDF::from(endpoint::HttpEndpoint::new())),
    ),
    (
        "last(value, time) -> type of the value",
        "The value of the row with the largest time in a group; of several, the largest value.",
        || aggregate(last::Last::new()),
    ),
    ("lines(text STRING) -> STRING", "The distinct lines of a group's texts in order, one below the other.", || {
        aggregate(lines::Lines::new())
    }),
    ("merge_histogram(histogram BINARY) -> BINARY", "The sum of a group's histograms.", || buckets(Made::Merge)),
    (
        "quantile(number, q) -> same type",
        "The value at quantile q (a constant from 0 to 1) of a group, within 1.6 %; integers are cut to integers.",
        || buckets(Made::Quantile),
    ),
    (
        "sum(number) -> INT64 or FLOAT64",
        "Sum of a group; floats are added as multiples of 2^-32, so the order of rows does not matter.",
        || aggregate(sums::Sum::new()),
    ),
    ("upid_is_known(upid) -> BOOLEAN", "Whether the upid names a process; the id 0 does not.", || {
        scalar(Kind::UpidIsKnown)
    }),
    ("upid_to_asid(upid) -> INT64", "Number of the agent that saw the process.", || scalar(Kind::UpidToAsid)),
    ("upid_to_pid(upid) -> INT64", "Process id on its host.", || scalar(Kind::UpidToPid)),
    ("upid_to_string(upid) -> STRING", "The upid as `asid:pid:start_ticks`.", || scalar(Kind::UpidToString)),
];

fn scalar(kind: Kind) -> Udf {
    Udf::Scalar(ScalarUDF::from(Scalar::new(kind)))
}

fn aggregate(function: impl AggregateUDFImpl + 'static) -> Udf {
    Udf::Aggregate(AggregateUDF::from(function))
}

fn buckets(kind: Made) -> Udf {
    aggregate(Buckets::new(kind))
}
