//! The law: at every closed time a subscription's rows, added up, are what the same script answers when run once.
//! DataFusion's own execution is the oracle. Ticks are driven by hand; nothing here sleeps.
#![allow(clippy::unwrap_used)]

mod bundled;
mod clock;
mod filler;
mod idioms;
mod introspection;
mod named;
mod names;
mod random;
mod subscriptions;
mod world;

use proptest::prelude::*;
use world::{Step, World, steps};

const WINDOW: &str = "time_ > now() - INTERVAL '3 seconds'";

fn scripts() -> Vec<String> {
    let losses = format!("SELECT * FROM system.losses WHERE {WINDOW}");
    let mut scripts: Vec<String> = [
        "SELECT count(*) AS n, sum(count) AS total, min(bytes) AS least, max(bytes) AS most FROM system.losses",
        "SELECT name, count(*) AS n FROM processes GROUP BY name",
        "SELECT DISTINCT host, name FROM processes WHERE pid > 1",
        "SELECT name, pid FROM processes ORDER BY name DESC, pid LIMIT 3",
        "SELECT pid, name FROM processes UNION ALL SELECT count, reason FROM system.losses \
         WHERE time_ > now() - INTERVAL '2 seconds'",
        "SELECT name, character_length(name) AS m FROM processes UNION ALL SELECT name, pid FROM processes",
        "SELECT upper(name) AS shouted, pid * 2 + 1 AS odd FROM processes WHERE name <> 'a' OR pid IN (2, 3)",
        "SELECT p.pid FROM processes p WHERE p.upid IN (SELECT upid FROM proc_exit_events \
         WHERE time_ > now() - INTERVAL '3 seconds')",
        "SELECT p.pid FROM processes p WHERE NOT EXISTS (SELECT 1 FROM proc_exit_events e \
         WHERE e.upid = p.upid AND e.time_ > now() - INTERVAL '3 seconds')",
        "SELECT coalesce(p.name, '') AS name, e.n FROM (SELECT upid, count(*) AS n FROM proc_exit_events \
         WHERE time_ > now() - INTERVAL '4 seconds' GROUP BY upid) e LEFT JOIN processes p ON p.upid = e.upid",
        "SELECT p.name, count(*) AS n, sum(e.exit_code) AS codes FROM proc_exit_events e \
         JOIN processes p ON p.upid = e.upid WHERE e.time_ > now() - INTERVAL '2 seconds' GROUP BY p.name",
        "SELECT p.pid, e.comm FROM processes p FULL JOIN (SELECT upid, comm FROM proc_exit_events \
         WHERE time_ > now() - INTERVAL '3 seconds') e ON p.upid = e.upid",
        "SELECT max(n) AS busiest, count(*) AS groups FROM (SELECT reason, count(*) AS n FROM system.losses \
         WHERE time_ > now() - INTERVAL '3 seconds' GROUP BY reason) g",
        "SELECT count(*) AS n, sum(count) AS total FROM system.losses \
         WHERE time_ > now() - INTERVAL '4 seconds' AND time_ < now() - INTERVAL '1 second'",
        "SELECT e.upid, e.exit_code FROM proc_exit_events e \
         WHERE e.time_ > now() - INTERVAL '3 seconds' AND e.upid IN (SELECT upid FROM processes WHERE pid > 1)",
        "SELECT e.upid, e.exit_code FROM proc_exit_events e WHERE e.time_ > now() - INTERVAL '3 seconds' \
         AND NOT EXISTS (SELECT 1 FROM processes p WHERE p.upid = e.upid)",
        "SELECT p.name, e.exit_code FROM processes p RIGHT JOIN (SELECT upid, exit_code FROM proc_exit_events \
         WHERE time_ > now() - INTERVAL '3 seconds') e ON p.upid = e.upid",
        "SELECT a.name, b.host FROM processes a LEFT JOIN processes b ON a.pid = b.pid + 1",
        "SELECT comm, count(DISTINCT upid) AS n FROM proc_exit_events \
         WHERE time_ > now() - INTERVAL '3 seconds' GROUP BY comm",
    ]
    .map(str::to_owned)
    .to_vec();
    let grouped = |what: &str| format!("SELECT reason, {what} FROM system.losses WHERE {WINDOW} GROUP BY reason");
    scripts.extend(named::scripts());
    scripts.push(losses);
    scripts.push(grouped("count(*) AS n, sum(count) AS total, avg(count) AS mean"));
    scripts.push(grouped("min(bytes) AS least, max(bytes) AS most, last(count, time_) AS latest"));
    scripts.push(grouped("quantile(bytes, 0.5) AS half, quantile(count * 1.5, 0.9) AS high"));
    scripts
        .push(grouped("sum(count * 0.1) AS tenths, avg(bytes * 0.3) AS mean, count(*) FILTER (WHERE count > 5) AS n"));
    scripts.push(grouped("histogram_quantile(histogram(count), 0.99) AS top, min(source) AS source"));
    scripts.push(grouped(
        "px_any(source) AS one, px_sample(source) AS sample, px_count(source) AS n, px_mean(count) AS mean",
    ));
    scripts.push(grouped("px_mean(count > 5) AS share, px_sum(count > 5) AS many, px_sum(bytes) AS total"));
    scripts.push(grouped("px_max(count * -0.5) AS most, px_min(count * -0.5) AS least, px_max(time_) AS latest"));
    scripts.push(grouped("px_quantiles(bytes) AS q, px_pluck_float64(px_quantiles(count * 0.3), 'p90') AS high"));
    scripts.push(grouped("px__kmeans_fit(source, 3) AS fit, px_any(count) AS one"));
    scripts.push(grouped("lines(source) AS sources, min(source) AS source, lines(DISTINCT reason) AS reasons"));
    scripts.push(grouped("px_pprof(source, count, 10) AS profile"));
    scripts.push(format!(
        "SELECT px_bin(time_, 1000000000) AS t, px_sum(px_select(px_regex_match('[a-b].*', reason), count, 0)) AS n \
         FROM system.losses WHERE {WINDOW} GROUP BY px_bin(time_, 1000000000)"
    ));
    scripts.push(
        "SELECT px_upid_to_string(upid) AS upid, px_toupper(name) AS name, px_round(px_divide(pid, 3), 2) AS third, \
         px_pluck(px_split(name, 'a'), 'x') AS none, px__exec_hostname() AS host FROM processes \
         WHERE px_notEqual(px_modulo(pid, 2), 1)"
            .into(),
    );
    scripts.push(
        "SELECT p.name, t.table_name FROM processes p JOIN px_GetTables t ON px_length(t.table_name) = p.pid + 6"
            .into(),
    );
    scripts.push("SELECT px_any(upid) AS one, px_count(pid) AS n FROM processes".into());
    scripts.push(format!(
        "SELECT source, sum(n) AS n, histogram_quantile(merge_histogram(h), 0.5) AS half FROM \
         (SELECT source, reason, count(*) AS n, histogram(bytes) AS h FROM system.losses WHERE {WINDOW} \
         GROUP BY source, reason) parts GROUP BY source"
    ));
    scripts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn snapshot_and_deltas_equal_the_answer_at_every_closed_time(
        steps in steps(), workers in 1_usize..=3, joined in 0_usize..6,
    ) {
        let mut world = World::start(workers);
        for (at, step) in steps.iter().enumerate() {
            if at == joined {
                for script in scripts() {
                    world.follow(&script);
                }
            }
            world.tick(step);
            world.check();
        }
        world.stop();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_view_that_was_left_alone_follows_the_law_again(
        steps in proptest::collection::vec((world::step(), any::<u64>()), 4..24), workers in 1_usize..=3,
    ) {
        let mut world = World::start(workers);
        let scripts = scripts();
        scripts.iter().for_each(|script| drop(world.follow(script)));
        for (step, followed) in steps {
            // Short, so that views are left alone for more than one of them.
            world.tick(&Step { pause: step.pause / 10, ..step });
            for at in 0..scripts.len() {
                match (world.is_followed(at), followed >> at & 1 == 1) {
                    (true, false) => world.leave(at),
                    (false, true) => world.resume(at),
                    _ => {}
                }
            }
            world.check();
        }
        world.stop();
    }
}

#[test]
fn the_bundled_views_follow_the_law() {
    let mut world = World::start(2);
    for bundled in watershed_query::bundled().iter().filter(|script| script.always_on) {
        world.follow(bundled.text);
    }
    for round in 0..12 {
        world.tick(&Step::numbered(round));
        world.check();
    }
    world.stop();
}

#[test]
fn a_late_name_corrects_rows_that_were_shown() {
    let mut world = World::start(1);
    world.follow(
        "SELECT p.name, count(*) AS n FROM proc_exit_events e JOIN processes p ON p.upid = e.upid \
         WHERE e.time_ > now() - INTERVAL '1 minute' GROUP BY p.name",
    );
    world.tick(&Step { exits: vec![(0, 3, 1), (0, 3, 2)], ..Step::default() });
    world.check();
    assert_eq!(world.rows(0), Vec::<String>::new());
    world.tick(&Step { names: vec![(3, Some(1))], ..Step::default() });
    world.check();
    assert_eq!(world.rows(0), ["b|2"]);
    world.tick(&Step { names: vec![(3, Some(2))], ..Step::default() });
    world.check();
    assert_eq!(world.rows(0), ["c|2"]);
    world.stop();
}
