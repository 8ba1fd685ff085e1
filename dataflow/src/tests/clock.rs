//! `now()` as a value: it moves with the ticks, wherever it stands.

use proptest::prelude::*;
use watershed_query::{compile, explain};

use super::world::{Step, World, steps};

/// Rows that change with the time alone are those of groups and of states.
const SQL: [&str; 6] = [
    "SELECT now() AS t",
    "SELECT name, now() AS t, pid FROM processes WHERE pid > 1",
    "SELECT reason, now() - max(time_) AS idle FROM system.losses WHERE time_ > now() - INTERVAL '3 seconds' \
     GROUP BY reason",
    "SELECT * FROM (SELECT reason, max(time_) AS latest FROM system.losses \
     WHERE time_ > now() - INTERVAL '4 seconds' GROUP BY reason) g WHERE latest < now() - INTERVAL '1 second'",
    "SELECT e.comm, p.t FROM (SELECT upid, comm FROM proc_exit_events WHERE time_ > now() - INTERVAL '3 seconds') e \
     JOIN (SELECT upid, now() AS t FROM processes) p ON p.upid = e.upid",
    "SELECT host, count(*) FILTER (WHERE start_time < now()) AS n, max(now()) AS t FROM processes GROUP BY host",
];

/// Rows that change with the time alone are those of events.
const AGING: [&str; 6] = [
    "SELECT reason, now() - time_ AS age FROM system.losses WHERE time_ > now() - INTERVAL '2 seconds'",
    "SELECT reason, max(CAST(now() - time_ AS BIGINT)) AS oldest, count(*) FILTER (WHERE now() > time_) AS n \
     FROM system.losses WHERE time_ > now() - INTERVAL '2 seconds' GROUP BY reason",
    "SELECT date_trunc('second', now()) AS second, count(*) AS n FROM system.losses \
     WHERE time_ > now() - INTERVAL '2 seconds' GROUP BY date_trunc('second', now())",
    "SELECT p.name, e.age FROM processes p JOIN (SELECT upid, CAST(now() - time_ AS BIGINT) AS age \
     FROM proc_exit_events WHERE time_ > now() - INTERVAL '3 seconds') e ON p.upid = e.upid",
    "SELECT age FROM (SELECT count, now() - time_ AS age FROM system.losses \
     WHERE time_ > now() - INTERVAL '3 seconds') a ORDER BY age DESC, count LIMIT 2",
    "SELECT reason FROM system.losses WHERE time_ > now() - INTERVAL '3 seconds' \
     AND date_trunc('second', time_) < now() - INTERVAL '1 second'",
];

const PXL: [&str; 3] = [
    "import px\ndf = px.DataFrame('system.losses', start_time='-5s')\ndf.age = px.now() - df.time_\n\
     df = df[df.age < px.seconds(2)]\npx.display(df[['reason', 'count']])",
    "import px\ndf = px.DataFrame('system.losses', start_time='-5s')\ndf.time_ = px.bin(df.time_, px.seconds(1))\n\
     df = df.groupby('time_').agg(n=('count', px.sum))\ndf = df[df.time_ < px.now() - px.seconds(1)]\npx.display(df)",
    "import px\ndf = px.DataFrame('processes')\ndf = df.groupby('name').agg(n=('pid', px.count), t=('start_time', px.max))\n\
     df.uptime = px.now() - df.t\ndf.now = px.now()\npx.display(df)",
];

fn follow_all(world: &mut World) {
    for sql in SQL {
        world.follow(sql);
    }
    for text in PXL {
        let script = compile(&world.catalog, text, "law.pxl").unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        world.follow_table(script.tables.into_iter().next().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn now_moves_with_the_ticks(steps in steps(), workers in 1_usize..=3, joined in 0_usize..6) {
        let mut world = World::start(workers);
        for (at, step) in steps.iter().enumerate() {
            if at == joined {
                follow_all(&mut world);
            }
            world.tick(step);
            world.check();
        }
        world.stop();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn ages_of_events_move_each_second(steps in steps(), workers in 1_usize..=3, joined in 0_usize..6) {
        let mut world = World::start(workers);
        for (at, step) in steps.iter().enumerate() {
            if at == joined {
                AGING.iter().for_each(|sql| drop(world.follow(sql)));
            }
            world.tick(&Step { pause: 900 + step.pause, ..step.clone() });
            world.check();
        }
        world.stop();
    }
}

#[test]
fn an_age_that_is_compared_is_a_window() {
    let world = World::start(1);
    let script = compile(&world.catalog, PXL[0], "law.pxl").unwrap();
    let explanation = explain(&world.catalog, &script.tables[0]);
    assert_eq!(explanation.windows, ["system.losses: the last 2s, to 100ms"], "{explanation:?}");
    assert!(!explanation.plan.iter().any(|line| line.contains("at each tick")), "{explanation:?}");
    world.stop();
}

#[test]
fn windows_that_are_not_whole_are_groups_that_wait() {
    let world = World::start(1);
    let script = compile(&world.catalog, PXL[1], "law.pxl").unwrap();
    let plan = explain(&world.catalog, &script.tables[0]).plan;
    let at = |what: &str| plan.iter().position(|line| line.contains(what));
    assert!(at("at each tick") < at("reduce by") && at("reduce by") < at("events "), "{plan:?}");
    world.stop();
}

#[test]
fn only_what_differs_comes_out() {
    let mut world = World::start(2);
    world.follow("SELECT name, date_trunc('day', now()) AS day FROM processes");
    world.tick(&Step { names: vec![(1, Some(0))], ..Step::default() });
    world.check();
    let rows = world.rows(0);
    assert_eq!(rows.len(), 1);
    for _ in 0..5 {
        world.tick(&Step::default());
        world.check();
    }
    assert_eq!(world.rows(0), rows);
    world.stop();
}
