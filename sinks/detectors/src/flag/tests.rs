use proptest::prelude::*;

use super::*;

const LEVELS: Levels = Levels { above: 3.0, clear_below: 2.0, for_ns: 20 };

fn turns(scores: &[(f64, i64)]) -> Vec<Turn> {
    let mut standing = Standing::default();
    scores.iter().map(|(score, time)| standing.step(Some(*score), *time, &LEVELS)).collect()
}

#[test]
fn a_score_above_for_long_enough_raises_a_flag_that_goes_below_the_lower_level() {
    let raised = Turn::Raised { since: 10 };
    let told = turns(&[(1.0, 0), (4.0, 10), (4.0, 20), (4.0, 30), (2.5, 40), (1.9, 50), (9.0, 60)]);
    assert_eq!(told, [Turn::Same, Turn::Same, Turn::Same, raised, Turn::Same, Turn::Cleared, Turn::Same]);
}

#[test]
fn a_dip_before_the_time_is_over_starts_anew() {
    let told = turns(&[(4.0, 0), (3.0, 10), (4.0, 20), (4.0, 39), (4.0, 40)]);
    assert_eq!(told[..4], [Turn::Same; 4]);
    assert_eq!(told[4], Turn::Raised { since: 20 });
}

#[test]
fn a_subject_without_a_score_is_cleared() {
    let mut standing = Standing::Flagged { since: 1 };
    assert_eq!(standing.step(None, 5, &LEVELS), Turn::Cleared);
}

/// Looks at the whole run that ends at each score.
fn naive(history: &[(f64, i64)], levels: &Levels) -> Option<i64> {
    let mut flagged = None;
    for end in 0..history.len() {
        let (score, time) = history[end];
        let run = history[..=end].iter().rev().take_while(|(score, _)| *score > levels.above);
        let since = run.last().map(|(_, time)| *time).filter(|since| time - since >= levels.for_ns);
        flagged = if score < levels.clear_below { None } else { flagged.or(since) };
    }
    flagged
}

proptest! {
    #[test]
    fn standing_is_what_the_whole_history_says(
        scores in prop::collection::vec((0u8..6, 1i64..15), 1..11),
        for_ns in 0i64..40,
    ) {
        let levels = Levels { for_ns, ..LEVELS };
        let mut time = 0;
        let history: Vec<(f64, i64)> = scores.iter().map(|(score, step)| {
            time += step;
            (f64::from(*score), time)
        }).collect();
        let mut standing = Standing::default();
        let mut rows = 0;
        for (score, time) in &history {
            match standing.step(Some(*score), *time, &levels) {
                Turn::Same => {}
                Turn::Raised { .. } => rows += 1,
                Turn::Cleared => rows -= 1,
            }
            prop_assert!(rows == 0 || rows == 1);
            prop_assert_eq!(rows == 1, standing.is_flagged());
        }
        let expected = naive(&history, &levels);
        let found = match standing { Standing::Flagged { since } => Some(since), Standing::Quiet | Standing::Suspected { .. } => None };
        prop_assert_eq!(found, expected);
    }
}
