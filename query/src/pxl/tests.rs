//! Scripts compiled, run over a small snapshot, and lowered to views.
#![allow(clippy::unwrap_used)]

mod hostile;
mod pasted;
mod random;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tests::Losses;
use crate::{Catalog, Inputs, Script, compile, compile_with, execute, lower};
use arrow::util::pretty::pretty_format_batches;

fn rows(catalog: &Catalog, script: &Script) -> String {
    let batches = futures::executor::block_on(execute(catalog, &script.tables[0], Arc::new(Losses))).unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines = table.lines().skip(3).filter(|line| line.starts_with('|'));
    let mut rows: Vec<String> = lines.map(|row| row.trim_matches('|').split_whitespace().collect::<String>()).collect();
    rows.sort();
    rows.join(" ")
}

/// The rows of a body over `df`, which is `system.losses` without its time and node.
fn check(body: &str, expected: &str) {
    let head = "import px\ndf = px.DataFrame('system.losses')\ndf = df.drop(['time_', 'node'])\n";
    let text = format!("{head}{body}\npx.display(df)\n");
    let catalog = Catalog::new();
    let script = compile(&catalog, &text, "a.pxl").unwrap_or_else(|errors| panic!("{body}: {errors:?}"));
    assert_eq!(rows(&catalog, &script), expected, "{body}");
}

fn errors(text: &str) -> Vec<String> {
    let errors = compile(&Catalog::new(), text, "a.pxl").err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn operations_of_dataframes_give_their_rows() {
    let all = [
        ("df = df[['source', 'count']]", "ingest|4 kernel|1 kernel|2"),
        ("df = df['count', 'source']", "1|kernel 2|kernel 4|ingest"),
        ("df = df[df.count > 1]\ndf = df[['bytes']]", "20 40"),
        ("df = df.filter(df.source == 'kernel' and not df.count == 2)", "kernel|ring_full|1|10"),
        ("df = df.drop(columns=['reason', 'bytes'])", "ingest|4 kernel|1 kernel|2"),
        ("df.half = df.count / 2\ndf['twice'] = df.half * 4\ndf = df[['half', 'twice']]", "0.5|2.0 1.0|4.0 2.0|8.0"),
        ("df.a = df.count\ndf.count = df.a + 1\ndf.b = df.count\ndf = df[['a', 'b']]", "1|2 2|3 4|5"),
        ("df = df.groupby('source').agg(n=('count', px.count) total=('bytes', px.sum))", "ingest|1|40 kernel|2|30"),
        ("df = df.groupby(['source', 'reason']).agg()", "ingest|gap kernel|ring_full"),
        ("df = df.agg(most=('count', px.max), mean=('count', px.mean))", "4|2.3333333333333335"),
        ("df = df.append(df)\ndf = df.agg(n=('count', px.count))", "6"),
        ("df = df.head(0)", ""),
        ("df.x = df.source + '/' + df.reason\ndf = df[['x']]", "ingest/gap kernel/ring_full kernel/ring_full"),
        ("df.x = px.select(df.count > 1, 'many', 'one')\ndf = df[['x']]", "many many one"),
        ("df = df[px.equals_any(df.count, [1, 4])]\ndf = df[['count']]", "1 4"),
        ("df.x = df.count / 0\ndf = df[['x']].head(1)", "inf"),
        ("df.x = ~df.count\ndf.y = -df.count\ndf = df[['x', 'y']]", "-2|-1 -3|-2 -5|-4"),
    ];
    for (body, expected) in all {
        check(body, expected);
    }
}

#[test]
fn merges_keep_both_keys_and_fill_what_has_no_partner() {
    let sides = "a = df[df.count < 4][['source', 'count']]\nb = df[df.count > 1][['source', 'bytes']]\n";
    let merge = |how: &str| format!("{sides}df = a.merge(b, how='{how}', left_on='source', right_on='source')");
    check(&merge("inner"), "kernel|1|kernel|20 kernel|2|kernel|20");
    check(&merge("left"), "kernel|1|kernel|20 kernel|2|kernel|20");
    check(&merge("right"), "kernel|1|kernel|20 kernel|2|kernel|20 |0|ingest|40");
    check(&merge("outer"), "kernel|1|kernel|20 kernel|2|kernel|20 |0|ingest|40");
}

#[test]
fn relative_times_are_windows_once_and_continuously() {
    let text = |start: &str| {
        format!("import px\ndf = px.DataFrame('system.losses', start_time={start})\npx.display(df[['bytes']])")
    };
    let catalog = Catalog::new();
    for start in ["'-10s'", "px.now() - px.seconds(10)"] {
        let script = compile(&catalog, &text(start), "a.pxl").unwrap();
        assert_eq!(rows(&catalog, &script), "20 40", "{start}");
        assert!(lower(&catalog, &script.tables[0]).is_ok(), "{start}");
    }
    let absolute = compile(&catalog, &text("95000000000"), "a.pxl").unwrap();
    assert_eq!(rows(&catalog, &absolute), "20 40", "the range has both its ends");
    let refusal = lower(&catalog, &compile(&catalog, &text("None"), "a.pxl").unwrap().tables[0]).unwrap_err();
    assert!(refusal.hint.contains("time_ > now()"), "{refusal}");
}

#[test]
fn what_is_not_pxl_is_refused_by_name() {
    let all = [
        ("if x:\n  y = 1", "if statements"),
        ("for a in b:\n  c = 1", "for loops"),
        ("x = lambda: 1", "lambda"),
        ("x = [a for a in b]", "comprehensions"),
        ("x += 1", "augmented"),
        ("a, b = 1, 2", "unpacking"),
        ("x = 1 < 2 < 3", "chained"),
        ("x = f'a'", "f-strings"),
        ("x = 2 ** 3", "px.pow"),
        ("def f(a=1):\n  return a", "default values"),
        ("x = 1 if True else 2", "conditional"),
    ];
    for (text, part) in all {
        let found = errors(&format!("import px\n{text}\n"));
        assert!(found.iter().any(|error| error.starts_with("a.pxl:2:") && error.contains(part)), "{text}: {found:?}");
    }
}

#[test]
fn all_mistakes_are_reported_with_their_places_and_near_names() {
    let text = "import px\ndf = px.DataFrame('http_event')\na = px.DataFrame('http_events')\n\
                a.x = a.latenzy + 1\na.y = a.x\na.z = px.contans(a.req_path, 'x')\na.p = a.ctx['podd']\n";
    let found = errors(text);
    for (line, near) in [(2, "http_events"), (4, "latency"), (6, "contains"), (7, "pod")] {
        let place = format!("a.pxl:{line}:");
        assert!(found.iter().any(|error| error.starts_with(&place) && error.contains(near)), "{line}: {found:?}");
    }
    assert_eq!(found.len(), 4, "what is made of a mistake is no further one: {found:?}");
}

#[test]
fn deep_and_endless_scripts_are_located_errors() {
    let nested = format!("import px\nx = {}1{}\n", "(".repeat(5_000), ")".repeat(5_000));
    let long = format!("import px\nx = 1{}\n", " + a".repeat(5_000));
    let negated = format!("import px\nx = {}1\n", "- ".repeat(5_000));
    let calls = "import px\ndef f(a):\n  return f(a)\nf(1)\n";
    for text in [nested.as_str(), &long, &negated, calls] {
        assert!(errors(text).iter().any(|error| error.contains("deep")), "{:.40}", text);
    }
}

#[test]
fn functions_of_a_vis_json_make_the_tables() {
    let text = "import px\ndef f(start_time: str, n: int):\n  df = px.DataFrame('system.losses', start_time=start_time)\n  \
                return df[df.count >= n][['bytes']]\n\
                def unused(x):\n  return x.nothing\npx.display(px.DataFrame('processes'))\n";
    let vis = r#"{"variables": [{"name": "start", "type": "PX_STRING", "defaultValue": "-1h"}],
        "widgets": [{"name": "Losses", "func": {"name": "f", "args":
        [{"name": "start_time", "variable": "start"}, {"name": "n", "value": "2"}]}}]}"#;
    let catalog = Catalog::new();
    let compiled = |start: &str| {
        let arguments = BTreeMap::from([("start".to_owned(), start.to_owned())]);
        compile_with(&catalog, text, "a.pxl", &Inputs { arguments: &arguments, vis: Some(vis) }).unwrap()
    };
    let script = compiled("-2s");
    assert_eq!((script.tables.len(), script.tables[0].name.as_str()), (1, "Losses"));
    assert_eq!(rows(&catalog, &script), "40");
    assert_eq!(rows(&catalog, &compiled("-1h")), "20 40");
}

#[test]
fn names_of_tables_are_unique_and_rows_limited_once() {
    let text = "#px:set max_output_rows_per_table=1\nimport px\ndf = px.DataFrame('system.losses')\n\
                px.display(df)\npx.display(df)\npx.debug(df, 'x')\n";
    let script = compile(&Catalog::new(), text, "a.pxl").unwrap();
    let names: Vec<&str> = script.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["output", "output_1", "_x"]);
    assert_eq!(rows(&Catalog::new(), &script).split(' ').count(), 1);
}

#[test]
fn pxl_is_told_by_its_file_or_its_imports() {
    let is = crate::pxl::is_pxl;
    assert!(is("# doc\nimport px\ndf = 1", "query") && is("from pxviews import processes", "query") && is("", "a.pxl"));
    assert!(!is("SELECT 'import px'", "query") && !is("import px", "a.sql"));
}

/// Compiles, runs once and can be a view.
fn runs_both_ways(text: &str) {
    let catalog = Catalog::new();
    let script = compile(&catalog, text, "a.pxl").unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for table in &script.tables {
        runtime.block_on(execute(&catalog, table, Arc::new(Losses))).unwrap_or_else(|error| panic!("{text}: {error}"));
        lower(&catalog, table).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
    }
}

#[test]
fn every_function_of_pxviews_runs_both_ways() {
    for call in [
        "inbound_http_summary('-5m', px.now())",
        "http_graph('-5m', px.now())",
        "container_process_timeseries('-5m', px.now(), px.seconds(10))",
        "container_process_summary('-5m', px.now())",
        "pod_resource_stats('-5m', px.now())",
        "pod_network_timeseries('-5m', px.now(), px.seconds(10))",
        "pod_network_summary('-5m', px.now())",
        "inbound_http_throughput_timeseries('-5m', px.now(), px.seconds(10))",
        "inbound_http_latency_timeseries('-5m', px.now(), px.seconds(10))",
        "stacktraces('-5m', px.now())",
        "connection_throughput_stats('-5m', px.now())",
        "processes('-5m', px.now())",
    ] {
        runs_both_ways(&format!("import px\nimport pxviews\npx.display(pxviews.{call})\n"));
    }
}

#[test]
fn scripts_as_users_write_them_run_both_ways() {
    for text in [
        // Let statements, helper functions, ctx, quantiles and a merge with itself.
        r"
''' HTTP by service '''
import px

ns_per_ms = 1000 * 1000
ns_per_s = 1000 * ns_per_ms
window_ns = px.DurationNanos(10 * ns_per_s)
filter_unresolved_inbound = True
filter_health_checks = True


def format_events_table(start_time):
    df = px.DataFrame(table='http_events', start_time=start_time)
    df.failure = df.resp_status >= 400
    filter_out_conds = ((df.req_path != '/healthz' or not filter_health_checks) and (
        df.remote_addr != '-' or not filter_unresolved_inbound))
    df = df[filter_out_conds]
    return df


def calc_http_latency(df, groups):
    df = df.groupby(groups).agg(
        latency_quantiles=('latency', px.quantiles),
        error_rate_per_window=('failure', px.mean),
        throughput_total=('latency', px.count),
    )
    df.latency_p50 = px.DurationNanos(px.floor(px.pluck_float64(df.latency_quantiles, 'p50')))
    df.request_throughput = df.throughput_total / window_ns
    return df.drop(['latency_quantiles', 'throughput_total'])


df = format_events_table('-5m')
df.timestamp = px.bin(df.time_, window_ns)
df.service = df.ctx['service']
df = df[px.has_service_name(df.service, 'shop/cart') or df.service == '']
agg = calc_http_latency(df, ['service', 'timestamp'])
agg.time_ = agg.timestamp
px.display(agg[['time_', 'service', 'latency_p50', 'request_throughput', 'error_rate_per_window']], 'agg')
total = df.groupby('service').agg(total=('latency', px.count), bytes=('resp_body_size', px.sum))
joined = agg.merge(total, how='left', left_on='service', right_on='service', suffixes=['', '_x'])
px.display(joined, 'joined')
",
        // SQL text, append, script references, selection of columns by tuple, and a limit.
        r"
import px
df = px.DataFrame(table='mysql_events', start_time='-30s')
df.normed_query_struct = px.normalize_mysql(df.req_body, df.req_cmd)
df.query = px.pluck(df.normed_query_struct, 'query')
df = df[df.query != '']
df.pod = df.ctx['pod']
other = df
df = df.append(other)
df.link = px.script_reference(df.pod, 'px/pod', {'pod': df.pod, 'start_time': '-5m'})
df = df['time_', 'pod', 'query', 'latency', 'link']
px.display(df.head(20), 'queries')
",
        // Connections with counters, casts and percentages.
        r"
import px
df = px.DataFrame('conn_stats', start_time='-2m')
df = df[df.trace_role == 2 and not px.contains(df.remote_addr, '127.0.0.1')]
df.pod = df.ctx['pod']
df.bytes_total = px.Bytes(df.bytes_sent + df.bytes_recv)
df = df.groupby(['pod', 'remote_addr']).agg(most=('bytes_total', px.max), least=('bytes_total', px.min), any_=('ssl', px.any))
df.moved = px.Bytes(df.most - df.least)
df.share = px.Percent(df.moved / (df.most + 1))
px.display(df)
",
        // Streams, and rolling windows.
        r"
import px
df = px.DataFrame('http_events', start_time='-1m')
df = df.rolling('10s').groupby('req_path').agg(n=('latency', px.count))
px.display(df, 'rolled')
",
    ] {
        runs_both_ways(text);
    }
}
