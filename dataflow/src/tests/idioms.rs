//! What scripts of users do that the bundled ones do not all do: each in a few lines.

/// Scripts in PxL.
pub(super) const PXL: [&str; 27] = [
    // Throughput, errors and latency by service and window, the windows that are not whole left out.
    r"import px
window = px.DurationNanos(10 * 1000 * 1000 * 1000)
df = px.DataFrame(table='http_events', start_time='-5m')
df = df[df.trace_role == 2]
df.service = df.ctx['service']
df.failure = df.resp_status >= 400
df.timestamp = px.bin(df.time_, window)
df = df[df.timestamp < px.bin(px.now(), window)]
df = df.groupby(['timestamp', 'service']).agg(
    quantiles=('latency', px.quantiles), throughput=('latency', px.count), error_rate=('failure', px.mean))
df.p99 = px.DurationNanos(px.floor(px.pluck_float64(df.quantiles, 'p99')))
df.request_throughput = df.throughput / window
df.error_rate = px.Percent(df.error_rate)
df.time_ = df.timestamp
px.display(df[['time_', 'service', 'p99', 'request_throughput', 'error_rate']], 'stats')
",
    // First by process, then by pod.
    r"import px
ns_per_s = 1000 * 1000 * 1000
window_ns = px.DurationNanos(10 * ns_per_s)
df = px.DataFrame(table='process_stats', start_time='-5m')
df.timestamp = px.bin(df.time_, window_ns)
df.pod = df.ctx['pod']
df.container = df.ctx['container']
df = df.groupby(['upid', 'container', 'pod', 'timestamp']).agg(
    rss=('rss_bytes', px.mean), vsize=('vsize_bytes', px.mean),
    utime_max=('cpu_utime_ns', px.max), utime_min=('cpu_utime_ns', px.min))
df.cpu = df.utime_max - df.utime_min
df = df.groupby(['pod', 'timestamp']).agg(rss=('rss', px.sum), vsize=('vsize', px.sum), cpu=('cpu', px.sum))
df.cpu_usage = px.Percent(df.cpu / window_ns)
df = df.groupby('pod').agg(cpu_usage=('cpu_usage', px.mean), rss=('rss', px.max))
px.display(df)
",
    // Two tables side by side, names that clash, a column under another name.
    r"import px
def requests(start):
    df = px.DataFrame('http_events', start_time=start)
    df.pod = df.ctx['pod']
    df.bytes = df.req_body_size
    return df.groupby('pod').agg(n=('latency', px.count), bytes=('bytes', px.sum))
def traffic(start):
    df = px.DataFrame('conn_stats', start_time=start)
    df.pod = df.ctx['pod']
    return df.groupby('pod').agg(bytes=('bytes_sent', px.max), n=('conn_open', px.sum))
start = '-2m'
both = requests(start).merge(traffic(start), how='outer', left_on='pod', right_on='pod', suffixes=['', '_conn'])
both.name = px.select(both.pod == '', both.pod_conn, both.pod)
both = both.drop(['pod', 'pod_conn'])
px.display(both)
",
    // Who talks to whom.
    r"import px
df = px.DataFrame('conn_stats', start_time='-5m')
df = df[df.trace_role == 1]
df.pod = df.ctx['pod']
df = df.groupby(['upid', 'pod', 'remote_addr', 'remote_port']).agg(
    sent_max=('bytes_sent', px.max), sent_min=('bytes_sent', px.min), recv=('bytes_recv', px.max))
df.sent = px.Bytes(px.abs(df.sent_max - df.sent_min))
df.remote_pod = px.pod_id_to_pod_name(px.ip_to_pod_id(df.remote_addr))
df.remote_service = px.service_id_to_service_name(px.ip_to_service_id(df.remote_addr))
df.to = px.select(df.remote_pod != '', df.remote_pod, px.select(df.remote_service != '', df.remote_service, df.remote_addr))
df.from_entity = px.select(df.pod == '', 'unknown', df.pod)
df = df.groupby(['from_entity', 'to']).agg(sent=('sent', px.sum), recv=('recv', px.sum))
px.display(df, 'graph')
",
    // The first question of each look-up, and how it was answered.
    r"import px
df = px.DataFrame('dns_events', start_time='-5m')
df.question = px.pluck(px.pluck_array(px.pluck(df.req_header, 'queries'), 0), 'name')
df.rcode = px.pluck_int64(df.resp_header, 'rcode')
df.told = px.dns_rcode_name(df.rcode)
df.nx = df.rcode == 3
df = df.groupby(['question', 'told']).agg(n=('latency', px.count), nx=('nx', px.sum), slowest=('latency', px.max))
px.display(df)
",
    // Statements without their values.
    r"import px
df = px.DataFrame('mysql_events', start_time='-5m')
df = df[df.req_cmd == 3]
df.parts = px.normalize_mysql(df.req_body, df.req_cmd)
df.query = px.pluck(df.parts, 'query')
df.params = px.pluck(df.parts, 'params')
df = df[df.query != '']
df = df.groupby('query').agg(n=('latency', px.count), q=('latency', px.quantiles), some=('params', px.any))
df.p90 = px.pluck_float64(df.q, 'p90')
px.display(df[['query', 'n', 'p90']])
",
    // Shares of a whole: a key that all rows have.
    r"import px
df = px.DataFrame('stack_traces.beta', start_time='-5m')
df.node = df.ctx['node']
df.pod = df.ctx['pod']
all = df.groupby('node').agg(total=('count', px.sum))
df = df.groupby(['node', 'pod', 'stack_trace_id']).agg(stack_trace=('stack_trace', px.any), count=('count', px.sum))
df = df.merge(all, how='inner', left_on='node', right_on='node', suffixes=['', '_x'])
df.percent = 100.0 * df.count / df.total
px.display(df[['node', 'pod', 'stack_trace', 'count', 'percent']])
",
    // One row beside every other.
    r"import px
df = px.DataFrame('http_events', start_time='-1m')
df.one = 1
mean = df.groupby('one').agg(mean=('latency', px.mean))
df = df.merge(mean, how='inner', left_on='one', right_on='one', suffixes=['', '_all'])
df = df[df.latency > 2.0 * df.mean]
px.display(df[['time_', 'req_path', 'latency', 'mean']])
",
    // Both directions in one table.
    r"import px
def side(role, name):
    df = px.DataFrame('http_events', start_time='-1m', select=['time_', 'upid', 'latency', 'trace_role'])
    df = df[df.trace_role == role]
    df.side = name
    df.pod = df.ctx['pod']
    return df[['time_', 'pod', 'side', 'latency']]
df = side(1, 'out').append(side(2, 'in'))
px.display(df.groupby(['pod', 'side']).agg(n=('latency', px.count), last=('time_', px.max)))
",
    // Conditions on texts.
    r#"import px
df = px.DataFrame(table="http_events", start_time="-5m")
df.host = px.pluck(df.req_headers, 'Host')
df = df[not px.contains(df.req_path, 'healthz') and (px.regex_match('/cart/.*', df.req_path) or df.host == 'shop')]
df = df[px.equals_any(df.req_method, ['GET', 'POST'])]
df.path = px.replace('[0-9]+', df.req_path, '<n>')
df.short = px.toupper(px.substring(df.path, 0, 5)) + '...'
df.size = px.Bytes(df.req_body_size + df.resp_body_size)
px.display(df[['time_', 'host', 'path', 'short', 'size']].head(50), 'requests')
"#,
    // What pairs there are.
    r"import px
df = px.DataFrame('http_events', start_time='-5m')
df.pod = df.ctx['pod']
df.deployment = df.ctx['deployment']
df.replicaset = df.ctx['replicaset']
df.namespace = df.ctx['namespace']
df.node = df.ctx['node']
df.host = df.ctx['hostname']
df.container = df.ctx['container']
df.cmd = df.ctx['cmdline']
df.pid = df.ctx['pid']
px.display(df.groupby(['pod', 'deployment', 'replicaset', 'namespace', 'node', 'host', 'container', 'cmd', 'pid']).agg())
",
    // Names after the sums.
    r"import px
df = px.DataFrame('http_events', start_time='-5m')
df.pod_id = df.ctx['pod_id']
df = df.groupby('pod_id').agg(n=('latency', px.count))
df.pod = df.ctx['pod']
df.service = df.ctx['service']
df.status = px.pod_name_to_status(df.pod)
df.phase = px.pluck(df.status, 'state')
df.started = px.pod_name_to_start_time(df.pod)
px.display(df)
",
    // How long pods have been there.
    r"import px
df = px.DataFrame('process_stats', start_time='-5m')
df.pod = df.ctx['pod']
df = df[df.pod != '']
df = df.groupby('pod').agg(rss=('rss_bytes', px.max))
df.create_time = px.pod_name_to_start_time(df.pod)
df.uptime = px.DurationNanos(px.now() - df.create_time)
df.is_young = df.uptime < px.minutes(10)
px.display(df)
",
    // How old rows are.
    r"import px
df = px.DataFrame('redis_events', start_time='-30s')
df.age = px.DurationNanos(px.now() - df.time_)
df.old = df.age > px.seconds(5)
px.display(df[['time_', 'req_cmd', 'age', 'old']])
",
    // Services that have several names.
    r"import px
df = px.DataFrame('http_events', start_time='-5m')
df.service = df.ctx['service']
df = df[px.has_service_name(df.service, 'web/front') or px.has_service_name(df.service, 'shop/cart')]
df.first = px.pluck_array(df.service, 0)
px.display(df.groupby(['service', 'first']).agg(n=('latency', px.count)))
",
    // Means of sums of windows that slide.
    r"import px
df = px.DataFrame('http_events', start_time='-5m')
df = df.rolling('10s', on='time_').groupby('req_path').agg(n=('latency', px.count), slowest=('latency', px.max))
df = df.groupby('req_path').agg(mean=('n', px.mean), slowest=('slowest', px.max), windows=('n', px.count))
px.display(df)
",
    // Paths as endpoints.
    r"import px
df = px.DataFrame('http_events', start_time='-5m')
df.uri = px.uri_parse('http://host' + df.req_path)
df.path = px.pluck(df.uri, 'path')
df.first = px.pluck_array(px.split(df.path, '/'), 1)
df.is_cart = px._match_endpoint(df.req_path, '/cart/*')
px.display(df.groupby(['first', 'is_cart']).agg(n=('latency', px.count), errors=('resp_status', px.max)))
",
    // Names of numbers.
    r"import px
df = px.DataFrame('kafka_events.beta', start_time='-5m')
df.command = px.kafka_api_key_name(df.req_cmd)
df.clients = df.client_id
px.display(df.groupby(['command', 'clients']).agg(n=('latency', px.count), mean=('latency', px.mean)))
http = px.DataFrame('http_events', start_time='-5m')
http.said = px.itoa(http.resp_status) + ' ' + px.http_resp_message(http.resp_status)
px.display(http.groupby('said').agg(n=('latency', px.count)), 'statuses')
",
    // Protocols by number.
    r"import px
df = px.DataFrame('conn_stats', start_time='-5m')
df.protocol_name = px.protocol_name(df.protocol)
df = df.groupby(['protocol_name']).agg(
    opened=('conn_open', px.max), closed=('conn_close', px.max), active=('conn_active', px.max))
df.balance = df.opened - df.closed == df.active
px.display(df)
",
    // A view of the language's own library.
    r"import px
import pxviews
df = pxviews.http_graph('-5m', px.now())
df.errors_percent = 100.0 * df.num_errors / df.num_requests
px.display(df[['responder_pod', 'requestor_pod', 'num_requests', 'errors_percent']])
px.display(pxviews.inbound_http_summary('-5m', px.now())[['pod', 'num_requests', 'latency_sum']], 'summary')
",
    // Processes as they are.
    r"import px
import pxviews
df = pxviews.processes('-5m', px.now())
px.display(df)
",
    // What happened before what.
    r"import px
slow = px.DataFrame('pgsql_events', start_time='-1m')
slow.second = px.bin(slow.time_, px.seconds(1))
slow = slow.groupby(['upid', 'second']).agg(statements=('latency', px.count), spent=('latency', px.sum))
http = px.DataFrame('http_events', start_time='-1m')
http.second = px.bin(http.time_, px.seconds(1))
http = http.groupby(['upid', 'second']).agg(requests=('latency', px.count))
df = http.merge(slow, how='left', left_on=['upid', 'second'], right_on=['upid', 'second'], suffixes=['', '_db'])
df.pod = df.ctx['pod']
df.each = df.statements / df.requests
px.display(df[['second', 'pod', 'requests', 'statements', 'each']])
",
    // Who is asked most, shown with a link.
    r"import px
df = px.DataFrame('http_events', start_time='-5m')
df.pod = df.ctx['pod']
df.namespace = px.pod_name_to_namespace(df.pod)
df = df.groupby(['namespace', 'pod']).agg(n=('latency', px.count))
df.link = px.script_reference(df.pod, 'px/pod', {'pod': df.pod, 'start_time': '-5m'})
df.label = px.strip_prefix('shop/', df.pod)
px.debug(df, 'seen')
px.display(df[['link', 'label', 'n']])
",
    // A range that ended a while ago.
    r"import px
df = px.DataFrame('http_events', start_time='-5m', end_time='-10s')
df = df[df.latency >= 1000 and df.resp_status != 204]
df.ms = px.round(df.latency / 1000000, 1)
df.log = px.floor(px.log2(df.latency))
df.part = px.modulo(df.latency, 10)
px.display(df.groupby('log').agg(n=('ms', px.count), sample=('ms', px.any), parts=('part', px.sum)))
",
    // Addresses that are not of the cluster.
    r#"import px
df = px.DataFrame('conn_stats', start_time='-5m')
df.inside = px.cidrs_contain_ip('["10.0.0.0/30","127.0.0.0/8"]', df.remote_addr)
df = df[not df.inside and df.remote_addr != '']
df.name = px.nslookup(df.remote_addr)
px.display(df.groupby(['remote_addr', 'name']).agg(n=('bytes_sent', px.count)))
"#,
    // An endless source with a condition.
    r"import px
df = px.DataFrame('http_events', start_time='-30s')
df.service = df.ctx['service']
df = df[df.resp_status >= 500]
df.redacted = px.redact_pii_best_effort(df.req_path)
px.display(df[['time_', 'service', 'redacted', 'resp_status']].stream())
",
    // Tables about the tool itself.
    r"import px
tables = px.GetTables()
schemas = px.GetSchemas()
df = tables.merge(schemas, how='inner', left_on='table_name', right_on='table_name', suffixes=['', '_y'])
df = df.groupby('table_name').agg(columns=('column_name', px.count))
px.display(df)
px.display(px.GetAgentStatus(False), 'agents')
px.display(px.GetUDFList(), 'functions')
",
];
