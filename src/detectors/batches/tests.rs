#![allow(clippy::unwrap_used)]

use super::*;

fn batches() -> Batches {
    let text = "name = \"d\"\nview = \"v\"\nsubject = [\"s\"]\nfeatures = [\"x\"]\nevery = \"5s\"\n\
                [model]\nkind = \"threshold\"\n[flag]\nabove = 1.0";
    Batches::new(&Manifest::parse(text, "m").unwrap())
}

fn due(batches: &mut Batches, time: u64) -> Option<u64> {
    batches.take(Event::Progress(time)).unwrap().map(|due| due.time)
}

#[test]
fn batches_are_whole_spans_apart_whenever_ticks_come() {
    let mut batches = batches();
    let ticks = [0, 12_300, 14_900, 15_100, 19_950, 20_000, 36_000];
    let times: Vec<_> = ticks.into_iter().map(|time| due(&mut batches, time)).collect();
    assert_eq!(times, [None, Some(10_000), None, Some(15_000), None, Some(20_000), Some(35_000)]);
}

#[test]
fn no_batch_comes_of_a_snapshot_but_of_the_tick_after_it() {
    let mut batches = batches();
    assert!(batches.prime(Event::Restart("slow".to_owned())).unwrap());
    assert!(!batches.prime(Event::Progress(12_300)).unwrap());
    assert_eq!(batches.time(), 12_300);
    assert_eq!(due(&mut batches, 12_400), Some(10_000));
}
