//! Which look-ups are made of keys.
#![allow(clippy::unwrap_used)]

use crate::view::{Node, Operator};
use crate::{Catalog, bundled, compile, lower};

/// Joins among names, and other joins.
fn joins(sql: &str) -> (usize, usize) {
    fn count(node: &Node) -> usize {
        let here = usize::from(matches!(node.operator, Operator::Join { .. }));
        here + node.inputs().into_iter().map(count).sum::<usize>()
    }
    fn named(node: &Node) -> usize {
        match &node.operator {
            Operator::Named { input, names } => named(input) + count(names),
            _ => node.inputs().into_iter().map(named).sum(),
        }
    }
    let catalog = Catalog::new();
    let table = compile(&catalog, sql, "a.sql").unwrap_or_else(|errors| panic!("{sql}: {errors:?}")).tables.remove(0);
    let plan = lower(&catalog, &table).unwrap();
    let columns: Vec<_> = plan.root.schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let wanted: Vec<_> = table.schema.fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(columns, wanted, "{sql}");
    let among_names = named(&plan.root);
    (among_names, count(&plan.root) - among_names)
}

/// Exits by process, with two look-ups.
fn exits(shown: &str, second: &str) -> String {
    format!(
        "SELECT {shown} FROM (SELECT upid, comm, count(*) AS n, max(exit_code) AS code FROM proc_exit_events \
         WHERE time_ > now() - INTERVAL '1 minute' GROUP BY upid, comm) AS e \
         LEFT JOIN processes AS p ON p.upid = e.upid {second}"
    )
}

const BY_KEY: &str = "LEFT JOIN processes AS q ON q.name = e.comm";

#[test]
fn bundled_maps_are_named_by_key_alone() {
    for name in ["service_map", "endpoint_latency"] {
        let script = bundled().iter().find(|script| script.name.strip_prefix("ws/") == Some(name)).unwrap();
        let (named, others) = joins(script.text);
        assert!(named > 4, "{name}: {named} and {others}");
    }
}

#[test]
fn look_ups_by_keys_and_by_what_was_looked_up_are_made_of_keys() {
    assert_eq!(joins(&exits("p.name, q.pid, e.n", BY_KEY)), (2, 0));
    let by_found = "LEFT JOIN processes AS q ON q.name = p.name WHERE p.pid + 1 > q.pid";
    assert_eq!(joins(&exits("upper(p.name) AS name, q.pid, e.n, e.code", by_found)), (2, 0));
    let chosen = "WHERE e.comm IN (SELECT name FROM processes) \
                  AND NOT EXISTS (SELECT 1 FROM processes AS r WHERE r.cmdline = e.comm)";
    assert_eq!(joins(&exits("p.name, e.n", chosen)), (3, 0));
}

#[test]
fn what_is_computed_of_aggregates_is_computed_above_names() {
    assert_eq!(joins(&exits("p.name, q.pid, e.n * 2 AS twice", BY_KEY)), (2, 0));
    assert_eq!(joins(&exits("p.name, q.pid, e.n", &format!("{BY_KEY} WHERE e.n + q.pid > 3"))), (2, 0));
}

#[test]
fn look_ups_by_aggregates_and_of_chosen_groups_are_not() {
    assert_eq!(joins(&exits("p.name, q.pid, e.n", "LEFT JOIN processes AS q ON q.pid = e.code")), (0, 2));
    assert_eq!(joins(&exits("p.name, q.pid, e.n", &format!("{BY_KEY} WHERE e.n > 3"))), (0, 2));
}

#[test]
fn one_look_up_and_groups_of_state_tables_stay_as_they_are() {
    assert_eq!(joins(&exits("p.name, e.n", "")), (0, 1));
    let of_state = "SELECT p.name, q.pid, g.n FROM (SELECT host, count(*) AS n FROM processes GROUP BY host) AS g \
                    LEFT JOIN processes AS p ON p.host = g.host LEFT JOIN processes AS q ON q.name = g.host";
    assert_eq!(joins(of_state).0, 0);
}
