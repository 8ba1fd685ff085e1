//! Scripts as published ones are written: what they do that ours do not.

use super::{check, errors, runs_both_ways};

#[test]
fn a_column_has_several_aggregates_also_where_they_are_summed_below_a_join() {
    runs_both_ways(
        r"
import px
df = px.DataFrame('http_events', start_time='-5m')
df.pod = df.ctx['pod']
df.failed = df.resp_status >= 400
df = df.groupby(['pod', 'trace_role']).agg(
    errors=('encrypted', px.sum),
    rate=('encrypted', px.mean),
    failed=('failed', px.sum),
    failure_rate=('failed', px.mean),
    total=('latency', px.sum),
    mean=('latency', px.mean),
    last=('time_', px.max),
)
px.display(df)
",
    );
}

#[test]
fn exports_of_plugins_cover_a_period_that_moves() {
    runs_both_ways(
        r"
import px
df = px.DataFrame(table='http_events', start_time=px.plugin.start_time, end_time=px.plugin.end_time)
df.pod = df.ctx['pod']
df.service = df.ctx['service']
df = df.groupby(['pod', 'service']).agg(
    quantiles=('latency', px.quantiles), requests=('latency', px.count), sum=('latency', px.sum), time_=('time_', px.max)
)
df.p50 = px.pluck_float64(df.quantiles, 'p50')
px.export(df, px.otel.Data(
    resource={'service.name': df.service, 'k8s.pod.name': df.pod},
    data=[
        px.otel.metric.Summary(name='latency', count=df.requests, sum=df.sum, quantile_values={0.5: df.p50}),
        px.otel.metric.Gauge(name='requests', value=df.requests, attributes={'pod': df.pod}),
    ],
))
px.display(df)
",
    );
    check("df.t = px.plugin.end_time > px.plugin.start_time\ndf = df[['t']].head(1)", "true");
}

#[test]
fn columns_of_a_traced_program_are_those_that_it_prints() {
    runs_both_ways(
        r#"
import pxtrace
import px

program = """
tracepoint:tcp:tcp_retransmit_skb
{
  printf("time_:%llu pid:%u pid_start_time:%llu src_ip:%s state:%s", nsecs, pid, nsecs, ntop(args->saddr), "x");
}
"""
table_name = 'retransmits_of_mine'
pxtrace.UpsertTracepoint('retransmits', table_name, program, pxtrace.kprobe(), '10m')
df = px.DataFrame(table=table_name, select=['time_', 'pid', 'pid_start_time', 'src_ip'], start_time='-5m')
df.upid = px.upid(df.pid, df.pid_start_time)
df.pod = df.ctx['pod']
df.n = 1
px.display(df.groupby(['pod', 'src_ip']).agg(n=('n', px.sum)))
"#,
    );
}

#[test]
fn names_are_chosen_by_whom_is_traced() {
    runs_both_ways(
        r"
import px

def add_sides(df):
    ''' Requestor and responder of each request. '''
    df.pod = df.ctx['pod']
    df.remote_pod = px.pod_id_to_pod_name(px.ip_to_pod_id(df.remote_addr, df.time_))
    df.is_remote_known = df.remote_pod != ''
    df.remote = px.select(df.is_remote_known, df.remote_pod, px.nslookup(df.remote_addr))
    df.is_server = df.trace_role == 2 and \
        not df.encrypted
    df.requestor = px.select(df.is_server, df.remote, df.pod)
    df.responder = px.select(df.is_server, df.pod, df.remote)
    df.responder_service = px.pod_name_to_service_name(df.responder)
    df.link = px.script_reference(df.responder, 'px/pod', {
        'start_time': '-5m',
        'pod': df.responder
    })
    return df.drop(['remote_pod', 'is_remote_known', 'remote', 'is_server'])

df = px.DataFrame(table='http_events', start_time='-' + '3m')
df = df[df['time_'] > px.now() - px.minutes(2)]
df = add_sides(df)
keys = ['requestor', 'responder', 'responder_service']
edges = df.groupby(keys).agg(n=('latency', px.count), bytes=('resp_body_size', px.mean),)
edges.rate = px.Bytes(edges.bytes) / px.DurationNanos(px.minutes(3))
px.display(edges, 'edges' '_by_pod'); px.display(df[['time_', 'link']].head(n=10), 'links')
",
    );
}

#[test]
fn all_mistakes_of_an_agg_are_told_with_those_around_it() {
    let text = "import px\ndf = px.DataFrame('http_events', start_time='-5m')\n\
                df = df.groupby('pods').agg(n=('latency', px.cont))\ndf.x = px.plcuk(df.n, 'a')\n";
    let found = errors(text);
    for (line, part) in [(3, "no column `pods`"), (3, "no `cont`"), (4, "`pluck`")] {
        let place = format!("a.pxl:{line}:");
        assert!(found.iter().any(|error| error.starts_with(&place) && error.contains(part)), "{part}: {found:?}");
    }
}

#[test]
fn constants_are_looked_up_below_a_group_by() {
    for lookup in
        ["pod_name_to_namespace('shop/cart')", "upid_to_pod_name(px.uint128('00000000-0000-0001-0000-000000000007'))"]
    {
        runs_both_ways(&format!(
            "import px\ndf = px.DataFrame('http_events', start_time='-5m')\n\
             df = df[px.pod_id_to_pod_name(df.req_body) == px.{lookup}]\n\
             px.display(df.groupby('req_path').agg(n=('latency', px.count)))\n"
        ));
    }
}

#[test]
fn times_far_beyond_the_calendar_are_no_failure() {
    for far in [
        "px.upid_to_start_ts(px.uint128('00000000-0000-0001-0000-000000000007')) + px.floor(px.pow(10, 200))",
        "px.now() - px.floor(px.pow(10, 200))",
    ] {
        check(&format!("df.t = {far}\ndf.known = df.t == df.t\ndf = df[['known']].head(1)"), "true");
    }
}
