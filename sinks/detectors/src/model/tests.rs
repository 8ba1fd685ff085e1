#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const WEEK: i64 = 7 * 24 * HOUR;

/// A scorer with what it remembers of one subject.
struct One {
    scorer: Box<dyn Scorer>,
    memory: Vec<Memory>,
}

impl One {
    fn new(features: &str, model: &str) -> Self {
        let text = format!(
            "name = \"d\"\nview = \"v\"\nsubject = [\"s\"]\nfeatures = {features}\nevery = \"10s\"\n[model]\n{model}\n\
             [flag]\nabove = 1.0"
        );
        let manifest = Manifest::parse(&text, "m").unwrap();
        Self { scorer: build(&manifest, &[]).unwrap(), memory: Vec::new() }
    }

    fn score(&mut self, time: i64, features: &[f32]) -> Option<f64> {
        let mut item =
            Item { time, features, memory: &mut self.memory, score: None, baseline: vec![None; features.len()] };
        self.scorer.score(std::slice::from_mut(&mut item)).unwrap();
        item.score
    }
}

#[test]
fn seasonal_compares_with_the_same_hour_of_the_week_before() {
    let mut one = One::new("[\"x\"]", "kind = \"seasonal\"\nwarmup = 3\n[model.deviation]\ndirection = \"both\"");
    let value = |time: i64| if (time / HOUR).rem_euclid(24) < 8 { 10.0 } else { 100.0 };
    let mut time = 0;
    while time < WEEK {
        assert_eq!(one.score(time, &[value(time)]), None, "nothing is known in the first week");
        time += HOUR / 4;
    }
    while time < 2 * WEEK {
        assert!(one.score(time, &[value(time)]).unwrap() < 1e-6);
        time += HOUR / 4;
    }
    // 100 is normal by day, not by night.
    assert!(one.score(time, &[100.0]).unwrap() > 3.0);
    assert!(one.score(time + 12 * HOUR, &[100.0]).unwrap() < 1.0);
}

#[test]
fn n_plus_one_is_statements_for_each_request() {
    let mut one = One::new("[\"queries\", \"requests\"]", "kind = \"n_plus_one\"");
    assert_eq!(one.score(0, &[200.0, 10.0]), Some(20.0));
    assert_eq!(one.score(1, &[19.0, 1.0]), None, "too few to tell");
    assert_eq!(one.score(2, &[500.0, 0.0]), None, "a job of its own");
}

#[test]
fn half_space_trees_find_what_lies_apart() {
    let mut one = One::new("[\"x\", \"y\"]", "kind = \"half_space_trees\"\nwindow = 200");
    let near = |n: i64| [10.0 + ((n * 7919) % 100) as f32 / 100.0, 5.0 + ((n * 104_729) % 100) as f32 / 100.0];
    let mut highest: f64 = 0.0;
    for n in 0..1000 {
        let score = one.score(n * SECOND, &near(n));
        assert_eq!(score.is_none(), n < 200, "the first window is learned");
        highest = highest.max(score.unwrap_or_default());
    }
    let apart = one.score(1000 * SECOND, &[40.0, -9.0]).unwrap();
    assert!(apart > highest + 1.0, "{apart} against {highest}");
    let learned = one.scorer.learned().unwrap();
    let mut again = One::new("[\"x\", \"y\"]", "kind = \"half_space_trees\"\nwindow = 200");
    again.scorer.recall(learned);
    assert_eq!(again.score(1, &[40.0, -9.0]), one.score(1, &[40.0, -9.0]));
}

#[test]
fn novelty_is_who_comes_after_learning_for_a_while() {
    let mut known = One::new("[\"x\"]", "kind = \"novelty\"\nlearn = \"90s\"\nfresh = \"100s\"");
    assert_eq!(known.score(0, &[1.0]), Some(0.0));
    let mut later = One { scorer: known.scorer, memory: Vec::new() };
    assert_eq!(later.score(89 * SECOND, &[1.0]), Some(0.0), "still learning");
    let mut new = One { scorer: later.scorer, memory: Vec::new() };
    assert_eq!(new.score(179 * SECOND, &[1.0]), Some(1.0));
    assert_eq!(new.score(229 * SECOND, &[1.0]), Some(0.5));
    assert_eq!(new.score(300 * SECOND, &[1.0]), Some(0.0));
}

#[test]
fn a_kind_says_what_is_wrong_with_its_section() {
    let error = |features: &str, model: &str| {
        let text = format!(
            "name = \"d\"\nview = \"v\"\nsubject = [\"s\"]\nfeatures = {features}\nevery = \"10s\"\n[model]\n{model}\n\
             [flag]\nabove = 1.0"
        );
        Manifest::parse(&text, "m").unwrap_err().to_string()
    };
    let wrong = [
        ("kind = \"robust_z\"\nwindow = 5", "`window` is between"),
        ("kind = \"half_space_trees\"\ndepth = 40", "`depth` is between"),
        ("kind = \"half_space_trees\"\ntrees = 0", "`trees` is between"),
        ("kind = \"n_plus_one\"", "model names `queries`, which is not among `features`"),
        ("kind = \"seasonal\"\nkeep = 2.0", "`keep` is between"),
        ("kind = \"ewma\"\n[model.deviation]\nat_least_share = -1.0", "not negative"),
        ("kind = \"onnx\"", "missing field `file`"),
    ];
    for (model, expected) in wrong {
        let error = error("[\"x\"]", model);
        assert!(error.contains(expected), "{error} lacks {expected}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn a_file_that_is_no_model_is_refused_in_one_line() {
    let text = "name = \"d\"\nview = \"v\"\nsubject = [\"s\"]\nfeatures = [\"x\"]\nevery = \"10s\"\n[model]\n\
                kind = \"onnx\"\nfile = \"m.onnx\"\n[flag]\nabove = 1.0";
    let manifest = Manifest::parse(text, "m").unwrap();
    for bytes in [&b""[..], b"hello, this is no model", &[0xff; 100]] {
        let error = build(&manifest, bytes).err().unwrap();
        assert!(error.starts_with("`m.onnx`"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}

proptest! {
    /// The score of `robust_z` is what sorting the window says.
    #[test]
    fn robust_z_is_that_of_a_naive_model(values in prop::collection::vec(0u8..50, 1..60)) {
        let mut one = One::new(
            "[\"x\"]",
            "kind = \"robust_z\"\nwindow = 20\nwarmup = 5\n[model.deviation]\nat_least_share = 0.0\nat_least = { x = 1.0 }",
        );
        let mut window: Vec<f64> = Vec::new();
        for (time, value) in values.into_iter().enumerate() {
            let value = f64::from(value);
            let expected = (window.len() >= 5).then(|| {
                let centre = middle(window.clone());
                let spread = (1.4826 * middle(window.iter().map(|v| (v - centre).abs()).collect())).max(1.0);
                (centre, spread)
            });
            let score = one.score(time as i64 * SECOND, &[value as f32]);
            let learned = match expected {
                Some((centre, spread)) => {
                    prop_assert!((score.unwrap() - (value - centre) / spread).abs() < 1e-4);
                    value.clamp(centre - 3.0 * spread, centre + 3.0 * spread)
                }
                None => {
                    prop_assert_eq!(score, None);
                    value
                }
            };
            window.push(f64::from(learned as f32));
            if window.len() > 20 {
                window.remove(0);
            }
        }
    }

    /// While values count alike, `ewma` knows their plain mean and variance.
    #[test]
    fn moments_are_those_of_all_values(values in prop::collection::vec(-100f64..100.0, 1..50)) {
        let mut moments = moments::Moments::default();
        values.iter().for_each(|value| moments.add(*value, 0.0));
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        prop_assert!((moments.mean - mean).abs() < 1e-6);
        prop_assert!((moments.variance - variance).abs() < 1e-6);
    }

    /// Two halves are together what the whole is.
    #[test]
    fn merged_moments_are_those_of_all_values(
        left in prop::collection::vec(-100f64..100.0, 1..20),
        right in prop::collection::vec(-100f64..100.0, 1..20),
    ) {
        let of = |values: &[f64]| {
            let mut moments = moments::Moments::default();
            values.iter().for_each(|value| moments.add(*value, 0.0));
            moments
        };
        let merged = of(&left).merged(&of(&right), 1.0);
        let whole = of(&[left, right].concat());
        prop_assert_eq!(merged.count, whole.count);
        prop_assert!((merged.mean - whole.mean).abs() < 1e-6);
        prop_assert!((merged.variance - whole.variance).abs() < 1e-4);
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}
