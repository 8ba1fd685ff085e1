#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn manifest(rest: &str) -> Manifest {
    let text = format!("name = \"d\"\nview = \"v\"\nsubject = [\"s\"]\nfeatures = [\"x\"]\nevery = \"10s\"\n{rest}");
    Manifest::parse(&text, "m").unwrap()
}

fn detector(rest: &str) -> Detector {
    let manifest = manifest(rest);
    let scorer = model::build(&manifest, &[]).unwrap();
    Detector::new(manifest, scorer)
}

fn threshold(rest: &str) -> Detector {
    detector(&format!("[model]\nkind = \"threshold\"\n[flag]\nabove = 5.0\nclear_below = 3.0\n{rest}"))
}

fn seen(values: &[(&str, f32)]) -> Vec<Observation> {
    values.iter().map(|(subject, x)| Observation { subject: (*subject).into(), features: vec![*x] }).collect()
}

fn no_time() -> Duration {
    Duration::ZERO
}

fn names(changes: &[Change]) -> Vec<String> {
    let name = |change: &Change| match change {
        Change::Raised(raised) => format!("+{}", raised.subject),
        Change::Cleared(subject) => format!("-{subject}"),
    };
    changes.iter().map(name).collect()
}

#[test]
fn a_subject_that_leaves_the_view_is_cleared() {
    let mut detector = threshold("");
    assert_eq!(names(&detector.batch(0, seen(&[("a", 9.0), ("b", 1.0)]), &no_time)), ["+a"]);
    assert_eq!(names(&detector.batch(1, seen(&[("b", 1.0)]), &no_time)), ["-a"]);
}

#[test]
fn an_absent_subject_is_zero_where_the_manifest_says_so_until_it_is_forgotten() {
    let mut detector = detector(
        "[model]\nkind = \"robust_z\"\nwarmup = 2\n[model.deviation]\ndirection = \"down\"\n\
         [flag]\nabove = 3.0\n[state]\nabsent = \"zero\"\nmax_age = \"30s\"",
    );
    for batch in 0..5 {
        assert_eq!(detector.batch(batch * 10 * SECOND, seen(&[("a", 100.0)]), &no_time), []);
    }
    assert_eq!(names(&detector.batch(50 * SECOND, Vec::new(), &no_time)), ["+a"]);
    assert_eq!(names(&detector.batch(60 * SECOND, Vec::new(), &no_time)), [""; 0]);
    assert_eq!(names(&detector.batch(71 * SECOND, Vec::new(), &no_time)), ["-a"]);
    assert_eq!(detector.report().subjects, 0);
}

#[test]
fn too_little_of_a_feature_is_no_score() {
    let mut detector = detector("[model]\nkind = \"threshold\"\n[flag]\nabove = 0.0\nat_least = { x = 2.0 }");
    assert_eq!(names(&detector.batch(0, seen(&[("a", 1.0), ("b", 2.0)]), &no_time)), ["+b"]);
    assert_eq!(names(&detector.batch(1, seen(&[("a", 1.0), ("b", f32::NAN)]), &no_time)), ["-b"]);
    assert_eq!(detector.report().unusable, 1);
}

#[test]
fn a_step_of_a_learned_feature_is_flagged_with_its_baseline() {
    for kind in ["kind = \"ewma\"\nwarmup = 5", "kind = \"robust_z\"\nwarmup = 5"] {
        let mut detector = detector(&format!("[model]\n{kind}\n[flag]\nabove = 4.0"));
        for batch in 0..20 {
            let value = 10.0 + (batch % 3) as f32;
            assert_eq!(detector.batch(batch * 10 * SECOND, seen(&[("a", value)]), &no_time), [], "{kind}");
        }
        let changes = detector.batch(200 * SECOND, seen(&[("a", 50.0)]), &no_time);
        let [Change::Raised(raised)] = changes.as_slice() else { panic!("{kind}: {changes:?}") };
        assert!((raised.baseline[0].unwrap() - 11.0).abs() < 1.0, "{raised:?}");
        assert!(raised.reason.contains("x is 50, normally 1"), "{}", raised.reason);
        assert_eq!(names(&detector.batch(210 * SECOND, seen(&[("a", 11.0)]), &no_time)), ["-a"]);
    }
}

#[test]
fn the_longest_unseen_goes_first_and_its_flag_with_it() {
    let mut detector = threshold("[state]\nsubjects = 2");
    detector.batch(0, seen(&[("a", 9.0), ("b", 1.0)]), &no_time);
    let changes = detector.batch(1, seen(&[("b", 1.0), ("c", 9.0)]), &no_time);
    assert_eq!(names(&changes), ["+c", "-a"]);
    assert_eq!((detector.report().subjects, detector.report().evicted), (2, 1));
}

struct Broken(fn(&mut [Item<'_>]) -> Result<(), String>);

impl Scorer for Broken {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        (self.0)(items)
    }
}

#[test]
fn a_model_that_panics_fails_or_gives_nan_is_suspended_with_the_reason() {
    let nan: fn(&mut [Item<'_>]) -> Result<(), String> = |items| {
        items[0].score = Some(f64::NAN);
        Ok(())
    };
    type Model = fn(&mut [Item<'_>]) -> Result<(), String>;
    let broken: [(&str, Model); 3] =
        [("panicked: oh no", |_| panic!("oh no")), ("shape", |_| Err("shape".to_owned())), ("gave NaN for a", nan)];
    for (expected, model) in broken {
        let mut detector = threshold("");
        assert_eq!(names(&detector.batch(0, seen(&[("a", 9.0)]), &no_time)), ["+a"]);
        detector.scorer = Box::new(Broken(model));
        assert_eq!(names(&detector.batch(1, seen(&[("a", 9.0)]), &no_time)), ["-a"]);
        let reason = detector.report().suspended.unwrap().reason;
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(detector.batch(2, seen(&[("a", 9.0)]), &no_time), []);
        assert!(!guard::is_guarded());
    }
}

/// Scores two subjects at a time, and counts them.
struct ByTwo(Arc<AtomicU64>);

impl Scorer for ByTwo {
    fn score(&mut self, items: &mut [Item<'_>]) -> Result<(), String> {
        self.0.fetch_add(items.len() as u64, Ordering::Relaxed);
        items.iter_mut().for_each(|item| item.score = Some(0.0));
        Ok(())
    }

    fn part(&self) -> usize {
        2
    }
}

#[test]
fn a_batch_over_its_budget_is_given_up_after_a_part() {
    let mut detector = threshold("[budget]\ntime_per_batch = \"5ms\"");
    let scored = Arc::new(AtomicU64::new(0));
    detector.scorer = Box::new(ByTwo(Arc::clone(&scored)));
    let clock = || Duration::from_millis(scored.load(Ordering::Relaxed));
    let rows = seen(&["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|subject| (subject, 1.0)));
    detector.batch(0, rows[..5].to_vec(), &clock);
    assert_eq!(detector.report().suspended, None);
    detector.batch(1, rows, &clock);
    let report = detector.report();
    assert_eq!(report.suspended.unwrap().reason, "a batch took 6ms, its budget is 5ms");
    assert_eq!((scored.load(Ordering::Relaxed), report.last_batch), (5 + 6, Duration::from_millis(6)));
}

#[test]
fn a_batch_over_its_budget_suspends() {
    let mut detector = threshold("[budget]\ntime_per_batch = \"5ms\"");
    let ticks = Cell::new(0);
    let clock = || {
        ticks.set(ticks.get() + 6);
        Duration::from_millis(ticks.get())
    };
    detector.batch(0, seen(&[("a", 1.0)]), &clock);
    assert!(detector.report().suspended.unwrap().reason.contains("its budget is 5ms"));
    let mut detector = threshold("[budget]\nmemory = \"64B\"");
    assert_eq!(names(&detector.batch(0, seen(&[("a", 9.0)]), &no_time)), ["+a", "-a"]);
    assert!(detector.report().suspended.unwrap().reason.contains("its budget is 64B"));
}

#[test]
fn a_restart_does_not_forget_what_normal_is() {
    let rest = "[model]\nkind = \"ewma\"\nwarmup = 5\n[flag]\nabove = 4.0";
    let mut before = detector(rest);
    for batch in 0..20 {
        before.batch(batch * 10 * SECOND, seen(&[("a", 10.0)]), &no_time);
    }
    assert_eq!(names(&before.batch(200 * SECOND, seen(&[("a", 99.0)]), &no_time)), ["+a"]);
    let kept = serde_json::to_string(&before.checkpoint()).unwrap();
    let mut after = detector(rest);
    assert!(after.recall(serde_json::from_str(&kept).unwrap()));
    let changes = after.batch(300 * SECOND, seen(&[("a", 99.0)]), &no_time);
    let [Change::Raised(raised)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(raised.since, 200 * SECOND);
    let mut other = detector("[model]\nkind = \"threshold\"\n[flag]\nabove = 4.0");
    assert!(!other.recall(serde_json::from_str(&kept).unwrap()));
}

#[test]
fn nothing_is_scored_while_windows_fill_up() {
    let mut detector = threshold("[state]\nsettle = \"20s\"");
    assert_eq!(detector.batch(0, seen(&[("a", 9.0)]), &no_time), []);
    assert_eq!(detector.batch(19 * SECOND, seen(&[("a", 9.0)]), &no_time), []);
    assert!(detector.is_pending(19 * SECOND));
    assert_eq!(names(&detector.batch(20 * SECOND, seen(&[("a", 9.0)]), &no_time)), ["+a"]);
}

#[test]
fn another_manifest_of_the_same_model_keeps_what_was_learned() {
    let rest = "[model]\nkind = \"ewma\"\nwarmup = 5\n[flag]\nabove = 1000.0";
    let mut detector = detector(rest);
    for batch in 0..20 {
        detector.batch(batch * 10 * SECOND, seen(&[("a", 10.0)]), &no_time);
    }
    let lower = manifest(&rest.replace("1000.0", "4.0"));
    let scorer = model::build(&lower, &[]).unwrap();
    detector.swap(lower, scorer);
    assert_eq!(names(&detector.batch(200 * SECOND, seen(&[("a", 99.0)]), &no_time)), ["+a"]);
}

#[test]
fn another_version_of_a_model_goes_on_with_flags_and_what_was_learned() {
    let rest = "[model]\nkind = \"ewma\"\nwarmup = 5\n[flag]\nabove = 4.0";
    let mut detector = detector(rest);
    for batch in 0..20 {
        detector.batch(batch * 10 * SECOND, seen(&[("a", 10.0), ("b", 10.0)]), &no_time);
    }
    assert_eq!(names(&detector.batch(200 * SECOND, seen(&[("a", 99.0), ("b", 10.0)]), &no_time)), ["+a"]);
    detector.renew(model::build(&manifest(rest), &[]).unwrap());
    assert_eq!(detector.report().flags, 1);
    assert_eq!(names(&detector.batch(210 * SECOND, seen(&[("a", 10.0), ("b", 99.0)]), &no_time)), ["-a", "+b"]);
}

#[test]
fn a_suspended_detector_works_again_with_another_version_of_its_model() {
    let mut detector = threshold("");
    detector.suspend(0, "broken".to_owned());
    assert_eq!(detector.batch(1, seen(&[("a", 9.0)]), &no_time), []);
    detector.renew(model::build(detector.manifest(), &[]).unwrap());
    assert_eq!(names(&detector.batch(2, seen(&[("a", 9.0)]), &no_time)), ["+a"]);
}

#[test]
fn a_trial_tells_what_would_suspend_and_leaves_rows_without_a_score_out() {
    let manifest = manifest(
        "[model]\nkind = \"threshold\"\n[flag]\nabove = 5.0\nat_least = { x = 2.0 }\n[budget]\ntime_per_batch = \"5ms\"",
    );
    let fails = |items: &mut [Item<'_>]| {
        assert_eq!(items.len(), 1);
        items[0].score = Some(f64::INFINITY);
        Ok(())
    };
    let rows = seen(&[("a", 9.0), ("few", 1.0), ("none", f32::NAN)]);
    let error = trial(&manifest, &mut Broken(fails), 0, &rows, &no_time).unwrap_err();
    assert_eq!(error, "the model gave inf for a");
    let error = trial(&manifest, &mut Broken(|_| panic!("oh no")), 0, &rows, &no_time).unwrap_err();
    assert_eq!(error, "the model panicked: oh no");
    let ticks = Cell::new(0);
    let clock = || Duration::from_millis(ticks.replace(ticks.get() + 6));
    let error = trial(&manifest, &mut Broken(|_| Ok(())), 0, &rows, &clock).unwrap_err();
    assert_eq!(error, "a batch took 6ms, its budget is 5ms");
    assert_eq!(trial(&manifest, &mut Broken(|_| Ok(())), 0, &rows, &no_time), Ok(()));
}

proptest! {
    /// Flags are what comparing each subject's last value with the levels gives, whoever comes and goes.
    #[test]
    fn flags_are_those_of_a_naive_model(
        batches in prop::collection::vec(prop::collection::btree_map("[a-d]", 0u8..9, 0..4), 1..20),
    ) {
        let mut detector = threshold("");
        let mut flags = BTreeMap::new();
        let mut naive: BTreeMap<String, bool> = BTreeMap::new();
        for (time, batch) in batches.into_iter().enumerate() {
            naive.retain(|subject, _| batch.contains_key(subject));
            for (subject, value) in &batch {
                let standing = naive.entry(subject.clone()).or_default();
                *standing = *value > 5 || (*standing && *value >= 3);
            }
            let observations = batch.iter()
                .map(|(subject, value)| Observation { subject: subject.clone(), features: vec![f32::from(*value)] });
            for change in detector.batch(time as i64, observations.collect(), &no_time) {
                match change {
                    Change::Raised(raised) => prop_assert!(flags.insert(raised.subject, ()).is_none()),
                    Change::Cleared(subject) => prop_assert!(flags.remove(&subject).is_some()),
                }
            }
            let expected: Vec<&String> = naive.iter().filter(|(_, standing)| **standing).map(|(name, _)| name).collect();
            prop_assert_eq!(flags.keys().collect::<Vec<_>>(), expected);
        }
    }
}
