//! Joining late, falling behind, and leaving nothing behind.

use std::collections::BTreeMap;

use watershed_model::TickTime;

use super::world::{Step, World, add};
use crate::{Delivery, Pace};

const SCRIPT: &str = "SELECT reason, count(*) AS n FROM system.losses \
                      WHERE time_ > now() - INTERVAL '1 minute' GROUP BY reason";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_reader_that_joins_late_gets_the_same_rows() {
    let mut world = World::start(2);
    let view = world.follow(SCRIPT);
    for round in 0..5 {
        world.tick(&Step::numbered(round));
        world.check();
    }
    let mut late = world.subscribe(&view, Pace::Live);
    let mut rows = BTreeMap::new();
    let mut snapshots = 0;
    runtime().block_on(async {
        loop {
            match late.next().await.unwrap() {
                Delivery::Changes { rows: batch, diffs, snapshot, .. } => {
                    snapshots += usize::from(snapshot);
                    add(&mut rows, &batch, &diffs);
                }
                Delivery::Progress(_) => break,
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), world.rows(0));
    assert!(snapshots > 0);
    world.stop();
}

#[test]
fn a_reader_that_falls_behind_is_restarted_with_a_snapshot() {
    let mut world = World::start(1);
    let view = world.follow(SCRIPT);
    world.tick(&Step::numbered(0));
    world.check();
    let mut slow = world.subscribe(&view, Pace::Live);
    for round in 1..3_000 {
        world.tick(&Step { losses: vec![(0, 0, 1, round, 0)], ..Step::default() });
        if round % 50 == 0 {
            world.check();
        }
    }
    world.check();
    let (mut rows, mut restarts, mut closed) = (BTreeMap::new(), 0, TickTime(0));
    let last = world.dataflow.closed();
    runtime().block_on(async {
        while closed < last {
            match slow.next().await.unwrap() {
                Delivery::Changes { rows: batch, diffs, .. } => add(&mut rows, &batch, &diffs),
                Delivery::Progress(time) => closed = time,
                Delivery::Restart(_) => {
                    restarts += 1;
                    rows.clear();
                }
                Delivery::Dropped => panic!("the view is there"),
            }
        }
    });
    assert_eq!(restarts, 1);
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), world.rows(0));
    world.stop();
}

#[test]
fn a_view_that_nobody_follows_live_takes_ten_ticks_as_one() {
    let mut world = World::start(2);
    let view = world.follow(SCRIPT);
    world.tick(&Step::numbered(0));
    world.check();
    world.leave(0);
    let mut relaxed = world.subscribe(&view, Pace::Relaxed);
    let brief = |round| Step { pause: 0, ..Step::numbered(round) };
    for round in 1..=23 {
        world.tick(&brief(round));
        // What is closed does not wait for the view.
        let time = world.catch_up();
        assert_eq!(world.dataflow.closed(), time);
    }
    assert!(world.dataflow.views()[0].closed.unwrap() < world.dataflow.closed());
    world.resume(0);
    world.check();
    let (mut rows, mut steps, mut closed) = (BTreeMap::new(), Vec::new(), TickTime(0));
    runtime().block_on(async {
        while closed < world.dataflow.closed() {
            match relaxed.next().await.unwrap() {
                Delivery::Changes { rows: batch, diffs, .. } => add(&mut rows, &batch, &diffs),
                Delivery::Progress(time) => {
                    closed = time;
                    steps.push(time);
                }
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), world.rows(0));
    // The snapshot, two times ten ticks, and the end of the rest.
    assert!((3..=4).contains(&steps.len()), "{steps:?}");
    world.stop();
}

#[test]
fn dropped_views_leave_no_dataflow_behind() {
    let mut world = World::start(3);
    world.tick(&Step::numbered(0));
    world.check();
    let baseline = world.dataflow.dataflows();
    for script in super::scripts() {
        world.follow(&script);
    }
    for round in 1..4 {
        world.tick(&Step::numbered(round));
        world.check();
    }
    assert!(world.dataflow.dataflows() > baseline);
    world.drop_views();
    for round in 4..24 {
        world.tick(&Step::numbered(round));
        world.check();
    }
    assert_eq!(world.dataflow.dataflows(), baseline);
    assert!(world.dataflow.views().is_empty());
    world.stop();
}
