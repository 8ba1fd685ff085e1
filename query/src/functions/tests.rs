//! Functions called through SQL over small tables, grouped and not.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::{SessionConfig, SessionContext};
use watershed_model::Upid;

use super::endpoint::template;
use super::{documented, quantile_of, register};

/// `t`: group g, integer i, float f, time t, in two batches; `ids`: upid.
fn context(floats: &[f64]) -> SessionContext {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    register(&context);
    let batch = |g: &[&str], i: &[i64], f: &[f64], t: &[i64]| {
        RecordBatch::try_from_iter([
            ("g", Arc::new(StringArray::from(g.to_vec())) as ArrayRef),
            ("i", Arc::new(Int64Array::from(i.to_vec()))),
            ("f", Arc::new(Float64Array::from(f.to_vec()))),
            ("t", Arc::new(Int64Array::from(t.to_vec()))),
        ])
        .unwrap()
    };
    let rows = vec![
        batch(&["a", "b", "a"], &[10, 50, 30], &floats[..3], &[1, 2, 3]),
        batch(&["a", "b", "a"], &[20, 7, 25], &floats[3..], &[2, 2, 3]),
    ];
    context.register_table("t", Arc::new(MemTable::try_new(rows[0].schema(), vec![rows]).unwrap())).unwrap();
    let upid = Upid { asid: 3, pid: 77, start_ticks: 1234 };
    let ids = FixedSizeBinaryArray::try_from_iter([upid.to_bytes(), [0; 16]].into_iter()).unwrap();
    let ids = RecordBatch::try_from_iter([("upid", Arc::new(ids) as ArrayRef)]).unwrap();
    context.register_batch("ids", ids).unwrap();
    context
}

fn answer_of(context: &SessionContext, sql: &str) -> Result<String, String> {
    let run = async { context.sql(sql).await?.collect().await };
    let batches = futures::executor::block_on(run).map_err(|error| error.strip_backtrace())?;
    let table = arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string();
    let rows = table.lines().skip(3).filter(|line| line.starts_with('|'));
    let rows = rows.map(|row| row.trim_matches('|').split_whitespace().collect::<String>());
    Ok(rows.collect::<Vec<_>>().join(" "))
}

fn check(sql: &str, expected: &str) {
    assert_eq!(answer_of(&context(&[0.1, 1e9, -0.3, 1e-7, 2.5, 77.25]), sql).as_deref(), Ok(expected), "{sql}");
}

fn check_error(sql: &str, expected: &str) {
    let error = answer_of(&context(&[0.0; 6]), sql).unwrap_err();
    assert!(error.contains(expected), "{sql}: {error}");
}

#[test]
fn sums_and_means_of_integers_are_integers_and_exact() {
    check("SELECT g, sum(i), avg(i), mean(i) FROM t GROUP BY g ORDER BY g", "a|85|21.25|21.25 b|57|28.5|28.5");
    check("SELECT sum(i), avg(i), sum(i) FILTER (WHERE i > 20) FROM t", "142|23.666666666666668|105");
    check("SELECT sum(i), avg(i), sum(f), avg(f) FROM t WHERE i > 1000", "|||");
    check("SELECT sum(DISTINCT i), arrow_typeof(sum(i)), arrow_typeof(avg(i)) FROM t", "142|Int64|Float64");
}

#[test]
fn sums_of_floats_do_not_depend_on_the_order_of_rows() {
    let sql = "SELECT sum(f), avg(f) FROM t";
    let forth = answer_of(&context(&[0.1, 1e9, -0.3, 1e-7, -1e9, 77.7]), sql).unwrap();
    let back = answer_of(&context(&[77.7, -1e9, 1e-7, -0.3, 1e9, 0.1]), sql).unwrap();
    assert_eq!(forth, back);
    check("SELECT g, sum(f) FROM t WHERE i IN (50, 7, 25) GROUP BY g ORDER BY g", "a|77.25 b|1000000002.5");
}

#[test]
fn lines_are_a_set_in_order() {
    check("SELECT g, lines(cast(t AS VARCHAR)) FROM t WHERE t < 3 GROUP BY g ORDER BY g", "a|1 |2 b|2");
    check(
        "SELECT lines(g) = 'a' || chr(10) || 'b', lines(g || chr(10) || 'c') = 'a' || chr(10) || 'b' || chr(10) || 'c' FROM t",
        "true|true",
    );
    check("SELECT lines(g) FROM t WHERE i > 1000", "");
}

#[test]
fn sums_slide_over_window_frames() {
    check(
        "SELECT sum(f) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t WHERE i IN (50, 7, 25) ORDER BY i",
        "2.5 79.75 1000000077.25",
    );
}

#[test]
fn quantiles_have_the_type_of_their_argument() {
    check("SELECT g, quantile(i, 0.5), quantile(i, 1) FROM t GROUP BY g ORDER BY g", "a|20|30 b|7|50");
    check("SELECT quantile(i, 0.5), approx_median(i), approx_percentile_cont(i, 0.5) FROM t", "20|20|20");
    check("SELECT approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY i) FROM t", "50");
    check("SELECT approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY i DESC) FROM t", "7");
    check("SELECT arrow_typeof(quantile(f, 0.5)), arrow_typeof(quantile(i, 0.5)) FROM t", "Float64|Int64");
    check("SELECT quantile(i, 0.5) IS NULL, histogram(i) IS NULL FROM t WHERE i > 1000", "true|true");
    check("SELECT quantile(i, 0.5) FILTER (WHERE i > 20) FROM t", "30");
}

#[test]
fn merged_histograms_equal_the_histogram_of_all() {
    check(
        "SELECT histogram_quantile(merge_histogram(h), 0.5), merge_histogram(h) = max(w) \
         FROM (SELECT g, histogram(i) AS h FROM t GROUP BY g), (SELECT histogram(i) AS w FROM t)",
        "20|true",
    );
}

#[test]
fn last_is_by_time_then_by_value() {
    check("SELECT g, last(i, t), last(g, t) FROM t GROUP BY g ORDER BY g", "a|30|a b|50|b");
    check("SELECT last(f, i), last(i, t) FILTER (WHERE g = 'b') FROM t", "1000000000.0|50");
    check("SELECT last(i, t) FROM t WHERE i > 1000", "");
}

#[test]
fn mistakes_name_the_argument() {
    check_error("SELECT quantile(i, 2) FROM t", "constant from 0 to 1");
    check_error("SELECT quantile(i, f) FROM t", "constant from 0 to 1");
    check_error("SELECT quantile(i) FROM t", "quantile(latency, 0.99)");
    check_error("SELECT avg(g) FROM t", "avg takes numbers");
    check_error("SELECT upid_to_pid(i) FROM t", "one upid");
    check_error("SELECT last(i) FROM t", "a value and a time");
}

#[test]
fn parts_of_a_upid_can_be_read() {
    check(
        "SELECT upid_to_string(upid), upid_to_pid(upid), upid_to_asid(upid), upid_is_known(upid) FROM ids",
        "3:77:1234|77|3|true 0:0:0|0|0|false",
    );
}

#[test]
fn bins_round_down() {
    check("SELECT bin(i, 10), bin(-i, 10), bin(i, 0) FROM t WHERE i = 25", "20|-30|25");
    check(
        "SELECT bin(to_timestamp_nanos(25), 10) = to_timestamp_nanos(20), bin(NULL::bigint, 10) IS NULL",
        "true|true",
    );
}

#[test]
fn ids_in_paths_are_templated() {
    let long = format!("/{}", "a".repeat(2000));
    let shortened = format!("/{}…", "a".repeat(511));
    for (path, expected) in [
        ("/", "/"),
        ("", "/"),
        ("*", "*"),
        ("/users/42", "/users/{}"),
        ("/users/42/", "/users/{}/"),
        ("/users/-1?x=1&y=2", "/users/{}"),
        ("/a/b#part", "/a/b"),
        ("http://shop.example:8080/cart/7?q", "/cart/{}"),
        ("http://shop.example", "/"),
        ("/redirect?to=http://a/b", "/redirect"),
        ("/orders/7f3c1e9a-1b2c-4d5e-8f90-abcdef012345/items", "/orders/{}/items"),
        ("/blobs/9e107d9d372bb6826bd81d3542a419d6", "/blobs/{}"),
        ("/commit/1a2b3c4d", "/commit/{}"),
        ("/t/eyJhbGciOiJIUzI1NiJ9", "/t/{}"),
        ("/c/cus_9s6XKzkNRiz8i3", "/c/cus_{}"),
        ("/u/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/u/{}"),
        ("/orders/order-12345", "/orders/order-{}"),
        ("/day/2024-01-15", "/day/{}"),
        ("/host/10.0.0.1", "/host/{}"),
        ("/api/v1/items", "/api/v1/items"),
        ("/api/v2.1/log4j", "/api/v2.1/log4j"),
        ("/static/app.3f2a9c1b.js", "/static/app.{}.js"),
        ("/deadbeef/facade", "/deadbeef/facade"),
        ("/checkout-service-2-report", "/checkout-service-2-report"),
        ("/getAllProductsByCategoryName", "/getAllProductsByCategoryName"),
        ("/straße/42", "/straße/{}"),
        (long.as_str(), shortened.as_str()),
    ] {
        let mut endpoint = String::new();
        template(path, &mut endpoint);
        assert_eq!(endpoint, expected, "{path}");
    }
}

#[test]
fn endpoints_are_templated_once_for_repeated_paths_and_many_distinct_ones_fit() {
    check(
        "SELECT count(*), count(DISTINCT http_endpoint('/a/' || value)), min(http_endpoint('/a/' || value || '?q')) \
         FROM generate_series(1, 20000)",
        "20000|1|/a/{}",
    );
}

#[test]
fn the_quantile_of_a_call_is_known_to_lowering() {
    let asked = |sql: &str| {
        let plan = futures::executor::block_on(context(&[0.0; 6]).state().create_logical_plan(sql)).unwrap();
        let LogicalPlan::Projection(top) = plan else { panic!("a projection on top") };
        let LogicalPlan::Aggregate(group) = top.input.as_ref() else { panic!("a group-by below") };
        let Expr::AggregateFunction(call) = group.aggr_expr[0].clone() else { panic!("a call") };
        quantile_of(&call)
    };
    assert_eq!(asked("SELECT quantile(i, 0.99) FROM t"), Some(0.99));
    assert_eq!(asked("SELECT quantile(i, 1) FROM t"), Some(1.0));
    assert_eq!(asked("SELECT approx_median(i) FROM t"), Some(0.5));
    assert_eq!(asked("SELECT approx_percentile_cont(0.25) WITHIN GROUP (ORDER BY i DESC) FROM t"), Some(0.75));
    assert_eq!(asked("SELECT quantile(i, f) FROM t"), None);
    assert_eq!(asked("SELECT sum(i) FROM t"), None);
}

#[test]
fn every_function_of_ours_is_documented_and_known() {
    let context = context(&[0.0; 6]);
    let state = context.state();
    for function in documented() {
        let known = state.scalar_functions().contains_key(function.name.as_ref())
            || state.aggregate_functions().contains_key(function.name.as_ref())
            || context.table_exist(function.name.to_lowercase()).unwrap();
        assert!(known && function.signature.starts_with(function.name.as_ref()), "{}", function.name);
        assert!(!function.doc.is_empty(), "{}", function.name);
    }
    let known = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
    for name in known.filter(|name| name.starts_with("px_")) {
        assert!(documented().iter().any(|function| function.name.eq_ignore_ascii_case(name)), "{name}");
    }
    assert!(documented().is_sorted_by(|left, right| left.name <= right.name));
}
