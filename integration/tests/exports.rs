//! `px.export`: what scripts send to a collector of OpenTelemetry, once and for as long as they are followed.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tonic::{Request, Response, Status};
use watershed_integration::agent::{Agent, failure};
use watershed_integration::processes;

/// What a collector was sent.
#[derive(Default)]
struct Received {
    /// With the service that each is of.
    spans: Mutex<Vec<(String, Span)>>,
    metrics: Mutex<Vec<(String, Metric)>>,
    headers: Mutex<HeaderMap>,
}

impl Received {
    fn take_spans(&self, request: ExportTraceServiceRequest) {
        for resource in request.resource_spans {
            let service = service_of(&resource.resource.unwrap_or_default().attributes);
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            self.spans.lock().unwrap().extend(spans.map(|span| (service.clone(), span)));
        }
    }

    fn take_metrics(&self, request: ExportMetricsServiceRequest) {
        for resource in request.resource_metrics {
            let service = service_of(&resource.resource.unwrap_or_default().attributes);
            let metrics = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            self.metrics.lock().unwrap().extend(metrics.map(|metric| (service.clone(), metric)));
        }
    }

    fn span_ids(&self) -> Vec<Vec<u8>> {
        let mut ids: Vec<_> = self.spans.lock().unwrap().iter().map(|(_, span)| span.span_id.clone()).collect();
        ids.sort();
        ids
    }
}

fn service_of(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> String {
    let named = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    match named.value.clone().unwrap().value.unwrap() {
        Value::StringValue(name) => name,
        other => panic!("{other:?}"),
    }
}

#[tonic::async_trait]
impl TraceService for Grpc {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.take_spans(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

struct Grpc(Arc<Received>);

async fn traces(State(received): State<Arc<Received>>, headers: HeaderMap, body: Bytes) {
    *received.headers.lock().unwrap() = headers;
    received.take_spans(ExportTraceServiceRequest::decode(body).unwrap());
}

async fn metrics(State(received): State<Arc<Received>>, body: Bytes) {
    received.take_metrics(ExportMetricsServiceRequest::decode(body).unwrap());
}

/// A collector that takes HTTP, and one that takes gRPC.
struct Collectors {
    http: (SocketAddr, Arc<Received>),
    grpc: (SocketAddr, Arc<Received>),
    _runtime: tokio::runtime::Runtime,
}

impl Collectors {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let serve = |router: Router| {
            let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
            let address = listener.local_addr().unwrap();
            runtime.spawn(async { axum::serve(listener, router).await.unwrap() });
            address
        };
        let (over_http, over_grpc) = (Arc::<Received>::default(), Arc::<Received>::default());
        let routes = Router::new().route("/v1/traces", post(traces)).route("/v1/metrics", post(metrics));
        let http = serve(routes.with_state(Arc::clone(&over_http)));
        let service = TraceServiceServer::new(Grpc(Arc::clone(&over_grpc)));
        let grpc = serve(tonic::service::Routes::new(service).prepare().into_axum_router());
        Self { http: (http, over_http), grpc: (grpc, over_grpc), _runtime: runtime }
    }
}

fn town(flags: &[&str]) -> Result<Agent> {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let source = format!("recording:{}", recording.display());
    let agent = Agent::start(&[&["--source", &source, "--pace", "fast"], flags].concat())?;
    processes::wait_until("exchanges", || {
        agent.number("SELECT count(*) FROM http_events WHERE time_ > now() - INTERVAL '1 hour'").is_ok_and(|n| n > 0)
    })?;
    Ok(agent)
}

/// Spans of all exchanges.
fn spans(endpoint: &str) -> String {
    format!(
        "import px
df = px.DataFrame('http_events', start_time='-1h')
df.start_time = px.int64_to_time(px.time_to_int64(df.time_) - df.latency)
px.export(df, px.otel.Data(
    resource={{'service.name': df.remote_addr, 'team': 'blue'}},
    data=[px.otel.trace.Span(
        name=df.req_path, start_time=df.start_time, end_time=df.time_, kind=px.otel.trace.SPAN_KIND_SERVER,
        attributes={{'http.status': df.resp_status, 'shouted': px.toupper(df.req_method)}},
    )]{endpoint}
))
"
    )
}

/// Counts and quantiles by path.
fn counts(address: SocketAddr) -> String {
    format!(
        "import px
df = px.DataFrame('http_events', start_time='-1h')
df = df.groupby('req_path').agg(
    n=('latency', px.count), sum=('latency', px.sum), q=('latency', px.quantiles), time_=('time_', px.max))
df.p50 = px.pluck_float64(df.q, 'p50')
px.export(df, px.otel.Data(
    resource={{'service.name': df.req_path}},
    data=[
        px.otel.metric.Gauge(name='requests', value=df.n, unit='1'),
        px.otel.metric.Summary(name='latency', count=df.n, sum=df.sum, quantile_values={{0.5: df.p50}}),
    ],
    endpoint=px.otel.Endpoint(url='http://{address}', timeout=3),
))
px.display(df[['req_path', 'n']])
"
    )
}

#[test]
fn a_script_that_is_run_once_sends_its_rows_once() -> Result<()> {
    let collectors = Collectors::start();
    let agent = town(&[])?;
    let rows = agent.settled("SELECT count(*) FROM http_events WHERE time_ > now() - INTERVAL '1 hour'")?;
    for (address, received) in [&collectors.http, &collectors.grpc] {
        // Without a scheme it may be either; HTTP is found out, too.
        let endpoint =
            format!(",\n    endpoint=px.otel.Endpoint(url='{address}', headers={{'x-key': 'secret'}}, insecure=True)");
        processes::output(&mut agent.command(&["query", "-s", &spans(&endpoint)]))?;
        let sent = received.spans.lock().unwrap();
        assert_eq!(sent.len() as i64, rows);
        let (service, span) = &sent[0];
        assert!(!service.is_empty() && span.name.starts_with('/') && span.kind == 2, "{service}: {span:?}");
        assert!(span.start_time_unix_nano < span.end_time_unix_nano, "{span:?}");
        let names: Vec<_> = span.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(names, ["http.status", "shouted"]);
    }
    assert_eq!(collectors.http.1.headers.lock().unwrap()["x-key"], "secret");

    let shown = processes::output(&mut agent.command(&["query", "-o", "jsonl", "-s", &counts(collectors.http.0)]))?;
    let metrics = collectors.http.1.metrics.lock().unwrap();
    assert_eq!(metrics.len(), 2 * shown.lines().count());
    assert!(metrics.iter().all(|(path, metric)| path.starts_with('/') && !metric.name.is_empty()));
    drop(metrics);

    let (code, told) = failure(&mut agent.command(&["query", "-s", &spans("")]))?;
    assert!(code == Some(1) && told.contains("names no collector"), "{code:?}: {told}");
    let nobody = ",\n    endpoint=px.otel.Endpoint(url='http://127.0.0.1:1')";
    let (code, told) = failure(&mut agent.command(&["query", "-s", &spans(nobody)]))?;
    assert!(code == Some(1) && told.contains("px.export to http://127.0.0.1:1"), "{code:?}: {told}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_script_that_is_kept_sends_each_row_once() -> Result<()> {
    let collectors = Collectors::start();
    let (address, received) = &collectors.grpc;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("spans");
    std::fs::create_dir(&script)?;
    std::fs::write(script.join("manifest.yaml"), "doc: Spans.\nalways_on: true\n")?;
    std::fs::write(script.join("spans.pxl"), spans(""))?;
    let collector = address.to_string();
    let agent = town(&["--scripts", folder.path().to_str().unwrap(), "--otel-collector", &collector])?;
    let rows = agent.settled("SELECT count(*) FROM http_events WHERE time_ > now() - INTERVAL '1 hour'")?;
    processes::wait_until("all spans", || received.span_ids().len() as i64 == rows)?;
    let mut ids = received.span_ids();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
    let is_told = |sinks: Vec<serde_json::Value>| {
        sinks.iter().any(|sink| sink["view"] == collector && sink["phase"] == "running")
    };
    processes::wait_until("a row of system.sinks", || agent.query("SELECT * FROM system.sinks").is_ok_and(is_told))?;

    // Who follows a script that shows nothing is told how far it is.
    let followed =
        processes::output(&mut agent.command(&["subscribe", "--for", "2s", "-o", "jsonl", "-s", &spans("")]))?;
    assert!(followed.lines().any(|line| line.starts_with("{\"progress\":")), "{followed}");
    assert_eq!(received.span_ids().len(), all, "it was sent already");
    let checked = processes::output(&mut agent.command(&["script", "check", "spans"]))?;
    assert!(checked.contains("can be a view"), "{checked}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
