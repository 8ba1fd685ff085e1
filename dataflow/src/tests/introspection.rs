//! A view's operators and arrangements are rows while it is there.

use super::world::{Step, World};

/// Ticks within which counters must have become rows: a refresh a tick, and the workers' logs lag by a step.
const ROUNDS: u64 = 50;

fn tick_until(world: &mut World, what: &str, done: impl Fn(&World) -> bool) {
    for round in 0..ROUNDS {
        world.tick(&Step { pause: 1_000, ..Step::numbered(round) });
        world.check();
        if done(world) {
            return;
        }
    }
    panic!("{what} did not come within {ROUNDS} refreshes");
}

#[test]
fn a_views_operators_and_arrangements_appear_and_go_with_it() {
    let mut world = World::start(2);
    world.follow("SELECT view, operator, worker, activations FROM system.operators");
    world.follow("SELECT view, operator, records, bytes, batches FROM system.arrangements");
    let watched = world.follow(
        "SELECT reason, max(count) AS most FROM system.losses \
         WHERE time_ > now() - INTERVAL '1 hour' GROUP BY reason",
    );
    let of = |world: &World, at: usize| -> Vec<String> {
        let prefix = format!("{watched}|");
        world.rows(at).into_iter().filter(|row| row.starts_with(&prefix)).collect()
    };
    tick_until(&mut world, "operators", |world| {
        let activated = |worker: &str| {
            let of_worker = |row: &String| row.split('|').nth(2) == Some(worker) && !row.ends_with("|0");
            of(world, 0).iter().any(of_worker)
        };
        activated("0") && activated("1")
    });
    tick_until(&mut world, "records", |world| {
        let held = |row: &String| row.split('|').nth(2).and_then(|n| n.parse::<i64>().ok()).is_some_and(|n| n > 0);
        of(world, 1).iter().any(held)
    });
    world.unfollow(2);
    tick_until(&mut world, "the end", |world| of(world, 0).is_empty() && of(world, 1).is_empty());
    assert!(!world.rows(0).is_empty());
    world.stop();
}
