//! Aggregates over small tables: types, empty groups, PxL's edges.
#![allow(clippy::unwrap_used)]

use super::super::tests::{check, value_of};

#[test]
fn values_of_every_type_are_chosen_the_same_way_each_time() {
    check(&[
        ("px_any(x) FROM (VALUES ('b'), ('ä'), ('a')) t(x)", "a"),
        ("px_any(x) FROM (VALUES (true), (false)) t(x)", "false"),
        ("px_any(x) FROM (VALUES (2.5), (-1)) t(x)", "-1"),
        ("px_upid_to_pid(px_any(px_upid(1, x, 1))) FROM (VALUES (7), (3)) t(x)", "3"),
        ("px_time_to_int64(px_any(px_int64_to_time(x))) FROM (VALUES (7), (3)) t(x)", "3"),
    ]);
    let sample = value_of("px_sample(x) FROM (VALUES ('b'), ('ä'), ('a')) t(x)");
    assert_eq!(sample, value_of("px_sample(x) FROM (VALUES ('a'), ('b'), ('ä')) t(x)"));
    assert_eq!(sample, value_of("sample(x) FROM (VALUES ('ä'), ('b'), ('a'), ('b')) t(x)"));
}

#[test]
fn truth_is_counted() {
    check(&[
        ("px_mean(x) FROM (VALUES (true), (false), (false), (false)) t(x)", "0.25"),
        ("px_sum(x) FROM (VALUES (true), (false), (true)) t(x)", "2"),
        ("px_count(x) FROM (VALUES (true), (false), (NULL)) t(x)", "2"),
        ("px_mean(x) FROM (VALUES (1), (2)) t(x)", "1.5"),
        ("px_sum(x) FROM (VALUES (0.5), (2)) t(x)", "2.5"),
        ("px_sum(x) + px_sum(x * 2) FROM (VALUES (1), (2)) t(x)", "9"),
    ]);
}

#[test]
fn the_largest_float_is_never_below_the_smallest_positive_one() {
    check(&[
        ("px_max(x) = 2.2250738585072014e-308 FROM (VALUES (-1.5), (-2.5)) t(x)", "true"),
        ("px_max(x) FROM (VALUES (-1.5), (2.5)) t(x)", "2.5"),
        ("px_max(x) FROM (VALUES (-1), (-2)) t(x)", "-1"),
        ("px_min(x) FROM (VALUES (-1.5), (2.5)) t(x)", "-1.5"),
        ("px_min(px_divide(x, 0)) = 1.7976931348623157e308 FROM (VALUES (1), (2)) t(x)", "true"),
    ]);
}

#[test]
fn quantiles_are_json_of_doubles() {
    check(&[
        (
            "px_quantiles(x) FROM (VALUES (10), (20), (30)) t(x)",
            r#"{"p01":10.0,"p10":10.0,"p25":10.0,"p50":20.0,"p75":30.0,"p90":30.0,"p99":30.0}"#,
        ),
        ("px_pluck_float64(px_quantiles(x), 'p50') FROM (VALUES (0)) t(x)", "0"),
        ("px_quantiles(x) FROM (VALUES (1)) t(x) WHERE x > 1", "NULL"),
    ]);
    let halves = value_of("px_pluck_float64(px_quantiles(x * 0.5), 'p50') FROM (VALUES (3)) t(x)");
    assert!((halves.unwrap().parse::<f64>().unwrap() - 1.5).abs() < 0.03);
}

#[test]
fn names_and_keys_stay_as_the_query_has_them() {
    check(&[
        (
            "g FROM (SELECT g, px_sum(x) AS n, count(*) AS c FROM (VALUES (1, 2), (2, 9)) t(g, x) GROUP BY g HAVING px_max(x) > 5) s",
            "2",
        ),
        ("\"px_min(t.x)\" FROM (SELECT px_min(x), px_any(x) FROM (VALUES (1), (2)) t(x)) s", "1"),
        ("px__kmeans_fit(x, 3) = '' FROM (VALUES ('a')) t(x)", "true"),
        ("px_count(DISTINCT x) FROM (VALUES (1), (1), (2)) t(x)", "2"),
        ("px_sum(x) FILTER (WHERE x > 1) FROM (VALUES (1), (1), (2)) t(x)", "2"),
    ]);
}

#[test]
fn the_wrong_arguments_are_told_the_right_ones() {
    let error = value_of("px_mean('a')").unwrap_err();
    assert!(error.contains("px_mean(FLOAT64) -> FLOAT64"), "{error}");
}

#[test]
fn profiles_are_folded_stacks() {
    let stacks = "(VALUES ('p', 'a;b', 2), ('p', 'a', 1), ('p', 'a;b', 3), ('q', 'c', 4)) t(g, s, n)";
    check(&[
        (&format!("px_pprof(s, n, 11) FROM {stacks} WHERE g = 'p'"), "a 1\na;b 5"),
        (
            &format!(
                "px_pprof FROM (SELECT g, px_pprof(s, n, 11) AS px_pprof FROM {stacks} GROUP BY g) s WHERE g = 'q'"
            ),
            "c 4",
        ),
        (&format!("px_pprof(s, n, 11) FILTER (WHERE n > 1) FROM {stacks}"), "a;b 5\nc 4"),
        (&format!("p FROM (SELECT s, px_pprof(s, n, 11) AS p FROM {stacks} GROUP BY s) s WHERE s = 'a'"), "a 1"),
        (&format!("px_pprof(s, n, 11) FROM {stacks} WHERE n > 99"), "NULL"),
    ]);
    let error = value_of(&format!("px_pprof(s, n, 11), count(*) FROM {stacks}")).unwrap_err();
    assert!(error.contains("stands alone"), "{error}");
}
