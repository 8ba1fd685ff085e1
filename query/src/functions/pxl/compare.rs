//! Comparisons and logic. Two floats are equal when they differ by less than the machine epsilon, whatever their size.

use watershed_model::Upid;

use super::rows::{Time, map1, map2};
use super::{B, Entry, F, I, Overload, S, T, U, entry, over};

/// Equality and its opposite: `$is` of "they are the same".
macro_rules! equality {
    ($is:expr) => {
        [
            over(&[I, I], B, |a| map2(a, |x: i64, y: i64| $is(x == y))),
            over(&[S, S], B, |a| map2(a, |x: &str, y: &str| $is(x == y))),
            over(&[B, B], B, |a| map2(a, |x: bool, y: bool| $is(x == y))),
            over(&[T, T], B, |a| map2(a, |x: Time, y: Time| $is(x == y))),
            over(&[U, U], B, |a| map2(a, |x: Upid, y: Upid| $is(x == y))),
            over(&[B, I], B, |a| map2(a, |x: bool, y: i64| $is(i64::from(x) == y))),
            over(&[I, B], B, |a| map2(a, |x: i64, y: bool| $is(x == i64::from(y)))),
            over(&[I, F], B, |a| map2(a, |x: i64, y: f64| $is(is_near(x as f64, y)))),
            over(&[F, I], B, |a| map2(a, |x: f64, y: i64| $is(is_near(x, y as f64)))),
            over(&[F, F], B, |a| map2(a, |x: f64, y: f64| $is(is_near(x, y)))),
        ]
    };
}

macro_rules! order {
    ($than:tt) => {
        [
            over(&[I, I], B, |a| map2(a, |x: i64, y: i64| x $than y)),
            over(&[T, T], B, |a| map2(a, |x: Time, y: Time| x $than y)),
            over(&[F, F], B, |a| map2(a, |x: f64, y: f64| x $than y)),
            over(&[S, S], B, |a| map2(a, |x: &str, y: &str| x $than y)),
        ]
    };
}

static EQUAL: [Overload; 10] = equality!(std::convert::identity);
static NOT_EQUAL: [Overload; 10] = equality!(std::ops::Not::not);
static GREATER: [Overload; 4] = order!(>);
static GREATER_OR_EQUAL: [Overload; 4] = order!(>=);
static LESS: [Overload; 4] = order!(<);
static LESS_OR_EQUAL: [Overload; 4] = order!(<=);

pub(super) static ENTRIES: &[Entry] = &[
    entry("equal", &EQUAL, "Whether two values are the same; floats by approxEqual."),
    entry("notEqual", &NOT_EQUAL, "Whether two values differ; floats by approxEqual."),
    entry(
        "approxEqual",
        &[over(&[F, F], B, |a| map2(a, is_near))],
        "Whether two floats differ by less than 2^-52; infinities and NaN equal nothing.",
    ),
    entry("greaterThan", &GREATER, "Whether the first is larger; texts by their bytes."),
    entry("greaterThanEqual", &GREATER_OR_EQUAL, "Whether the first is larger or the same."),
    entry("lessThan", &LESS, "Whether the first is smaller; texts by their bytes."),
    entry("lessThanEqual", &LESS_OR_EQUAL, "Whether the first is smaller or the same."),
    entry(
        "logicalOr",
        &[
            over(&[I, I], B, |a| map2(a, |x: i64, y: i64| x != 0 || y != 0)),
            over(&[B, B], B, |a| map2(a, |x: bool, y: bool| x || y)),
        ],
        "Whether one of two is true; of integers, not 0.",
    ),
    entry(
        "logicalAnd",
        &[
            over(&[I, I], B, |a| map2(a, |x: i64, y: i64| x != 0 && y != 0)),
            over(&[B, B], B, |a| map2(a, |x: bool, y: bool| x && y)),
        ],
        "Whether both are true; of integers, not 0.",
    ),
    entry(
        "logicalNot",
        &[over(&[I], B, |a| map1(a, |x: i64| x == 0)), over(&[B], B, |a| map1(a, |x: bool| !x))],
        "Whether it is false; of an integer, 0.",
    ),
];

fn is_near(left: f64, right: f64) -> bool {
    (left - right).abs() < f64::EPSILON
}

#[cfg(test)]
mod tests;
