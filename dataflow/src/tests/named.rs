//! Groups that are named once: the same answer as with look-ups of each row.

use watershed_query::view::{Node, Operator};
use watershed_query::{Catalog, compile, lower};

use super::world::{Step, World};

/// Exits by process and by what may be NULL.
const EXITS: &str = "(SELECT upid, CASE WHEN exit_code > 0 THEN comm END AS comm, count(*) AS n, max(exit_code) AS code \
                     FROM proc_exit_events WHERE time_ > now() - INTERVAL '3 seconds' GROUP BY 1, 2) AS e";

/// Look-ups that keep, multiply, drop and choose groups, from either side, of keys and of what was looked up.
pub(super) fn scripts() -> Vec<String> {
    let script = |shown: &str, rest: &str| format!("SELECT {shown} FROM {}", rest.replace("EXITS", EXITS));
    vec![
        script(
            "e.comm, p.name, q.pid AS other, e.n, e.code",
            "EXITS LEFT JOIN processes AS p ON p.upid = e.upid LEFT JOIN processes AS q ON q.name = e.comm",
        ),
        script(
            "e.n, q.name, p.name AS own, e.comm",
            "EXITS JOIN processes AS p ON p.upid = e.upid JOIN processes AS q ON q.host = p.host WHERE q.pid > 1",
        ),
        script(
            "coalesce(e.comm, 'none') AS comm, e.n + 1 AS more",
            "EXITS WHERE e.upid IN (SELECT upid FROM processes WHERE pid > 1) \
             AND NOT EXISTS (SELECT 1 FROM processes AS r WHERE r.name = e.comm AND r.host = 'one')",
        ),
        script(
            "e.name, q.host, e.comm, e.code",
            "processes AS q RIGHT JOIN (SELECT p.name, e.comm, e.code FROM processes AS p RIGHT JOIN EXITS \
             ON p.upid = e.upid) AS e ON q.name = e.comm",
        ),
        format!(
            "SELECT p.name, q.host, sum(e.n) AS n, max(e.code) AS code FROM {EXITS} LEFT JOIN processes AS p \
             ON p.upid = e.upid LEFT JOIN processes AS q ON q.name = p.name GROUP BY p.name, q.host"
        ),
    ]
}

fn is_named(node: &Node) -> bool {
    matches!(node.operator, Operator::Named { .. }) || node.inputs().into_iter().any(is_named)
}

#[test]
fn all_of_them_are_named_by_their_keys() {
    let catalog = Catalog::new();
    for script in scripts() {
        let compiled = compile(&catalog, &script, "named.sql").unwrap();
        let plan = lower(&catalog, &compiled.tables[0]).unwrap();
        assert!(is_named(&plan.root), "{script}");
    }
}

#[test]
fn a_group_is_renamed_while_its_sums_change_and_forgotten_when_it_leaves() {
    let mut world = World::start(2);
    scripts().iter().for_each(|script| drop(world.follow(script)));
    let exits = |codes: &[i64]| codes.iter().map(|code| (0, 3, *code)).collect();
    world.tick(&Step { exits: exits(&[0, 0]), ..Step::default() });
    world.check();
    assert_eq!(world.rows(0), ["||0|2|0"]);
    // The name comes with more rows, one of them of another group.
    world.tick(&Step { exits: exits(&[0, 1]), names: vec![(3, Some(1))], ..Step::default() });
    world.check();
    world.tick(&Step { exits: exits(&[0]), names: vec![(3, None), (2, Some(3))], ..Step::default() });
    world.check();
    assert_eq!(world.rows(0).len(), 2);
    world.tick(&Step { pause: 5_000, ..Step::default() });
    world.check();
    assert_eq!(world.rows(0), Vec::<String>::new());
    world.tick(&Step { exits: exits(&[0]), names: vec![(3, Some(2))], ..Step::default() });
    world.check();
    assert_eq!(world.rows(0), ["|c|0|1|0"]);
    world.stop();
}
