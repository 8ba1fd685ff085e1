//! Which plans leave spans to their scans.
#![allow(clippy::unwrap_used)]

use crate::view::{Node, Operator};
use crate::{Catalog, bundled, compile, lower};

/// How many group-bys of a view get spans from their scans, and how many joins it has.
fn shape(sql: &str) -> (usize, usize) {
    fn count(node: &Node, found: &mut (usize, usize)) {
        match &node.operator {
            Operator::Reduce { reduce, .. } => found.0 += usize::from(reduce.span.is_some()),
            Operator::Join { .. } => found.1 += 1,
            _ => {}
        }
        node.inputs().into_iter().for_each(|input| count(input, found));
    }
    let catalog = Catalog::new();
    let table = compile(&catalog, sql, "a.sql").unwrap_or_else(|errors| panic!("{sql}: {errors:?}")).tables.remove(0);
    let mut found = (0, 0);
    count(&lower(&catalog, &table).unwrap().root, &mut found);
    found
}

const WINDOW: &str = "time_ > now() - INTERVAL '1 minute'";

#[test]
fn bundled_views_that_name_addresses_leave_spans_to_their_scans() {
    for name in ["service_map", "flows", "endpoint_latency", "endpoint_minute", "blast_radius", "new_edges"] {
        let script = bundled().iter().find(|script| script.name.strip_prefix("ws/") == Some(name)).unwrap();
        assert!(shape(script.text).0 > 0, "{name}");
    }
}

#[test]
fn sums_by_the_owner_at_the_time_are_made_by_span_below_the_join() {
    for name in ["remote_pod", "ip_to_pod_name(remote_addr, time_)"] {
        let by_name = format!("SELECT {name} AS name, count(*) AS n FROM http_events WHERE {WINDOW} GROUP BY {name}");
        assert_eq!(shape(&by_name).0, 1, "{by_name}");
    }
}

#[test]
fn where_no_scan_can_find_spans_they_are_a_join() {
    let span = "owned_since(remote_addr, time_)";
    let grouped = format!("SELECT {span} AS since, count(*) AS n FROM http_events WHERE {WINDOW} GROUP BY {span}");
    assert_eq!(shape(&grouped), (0, 1), "the address is no key");
    let rows = format!("SELECT remote_addr, {span} AS since FROM http_events WHERE {WINDOW}");
    assert_eq!(shape(&rows), (0, 1), "rows are not summed up");
    let other = format!(
        "SELECT remote_addr, owned_since(remote_addr, later) AS since, count(*) AS n FROM (SELECT remote_addr, \
         time_ + INTERVAL '1 second' AS later FROM http_events WHERE {WINDOW}) AS e GROUP BY remote_addr, \
         owned_since(remote_addr, later)"
    );
    assert_eq!(shape(&other), (0, 1), "another time");
}
