//! When arrangements are merged into one batch while nothing comes in.

use std::sync::Arc;

use differential_dataflow::trace::ExertionLogic;

/// What is merged at once, in updates: a tenth of a millisecond.
const EFFORT: usize = 1_000;
/// Merging all again whenever anything changed would cost each tick the size of the state. What is left apart is at most
/// one in so many updates, so that each update is merged with the rest so many times, and no more memory is taken.
const APART: usize = 16;

pub(crate) fn configure(config: &mut timely::WorkerConfig) {
    let logic: ExertionLogic = Arc::new(effort);
    config.set("differential/default_exert_logic".to_owned(), logic);
}

/// What is to be done for an arrangement whose batches are these: level, count and updates; two are being merged.
fn effort(batches: &[(usize, usize, usize)]) -> Option<usize> {
    let updates = |(_, _, updates): &(usize, usize, usize)| *updates;
    let all: usize = batches.iter().map(updates).sum();
    let whole = batches.iter().filter(|(_, count, _)| *count == 1).map(updates).max().unwrap_or(0);
    ((all - whole) * APART > all).then_some(EFFORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_beside_the_rest_is_left_apart() {
        assert_eq!(effort(&[]), None);
        assert_eq!(effort(&[(10, 1, 1_000), (3, 0, 0)]), None, "it is one");
        assert_eq!(effort(&[(10, 1, 1_000), (3, 1, 8)]), None);
        assert_eq!(effort(&[(10, 1, 1_000), (3, 2, 16), (1, 1, 2)]), None);
        assert_eq!(effort(&[(10, 1, 1_000), (6, 1, 90)]), Some(EFFORT));
        assert_eq!(effort(&[(10, 2, 1_000), (3, 1, 8)]), Some(EFFORT), "large ones are being merged");
        assert_eq!(effort(&[(2, 1, 4), (0, 1, 1)]), Some(EFFORT), "small ones cost nothing");
    }
}
