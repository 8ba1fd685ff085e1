//! One of two values.

use super::rows::{Time, map3};
use super::{B, Entry, F, I, S, T, entry, over};

pub(super) static ENTRIES: &[Entry] = &[entry(
    "select",
    &[
        over(&[B, B, B], B, |a| map3(a, one_of::<bool>)),
        over(&[B, I, I], I, |a| map3(a, one_of::<i64>)),
        over(&[B, F, F], F, |a| map3(a, one_of::<f64>)),
        over(&[B, T, T], T, |a| map3(a, one_of::<Time>)),
        over(&[B, S, S], S, |a| map3(a, one_of::<&str>)),
    ],
    "The second argument where the first is true, else the third; both are computed.",
)];

fn one_of<V>(condition: bool, then: V, otherwise: V) -> V {
    if condition { then } else { otherwise }
}

#[cfg(test)]
mod tests;
