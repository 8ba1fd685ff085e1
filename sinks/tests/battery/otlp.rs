//! A collector that speaks HTTP and gRPC: metrics and log records are added up to the rows they stand for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use prost::Message as _;
use tonic::{Request, Response, Status};

use crate::cases::Other;
use crate::view::Rows;

#[derive(Default)]
struct Collector {
    broken: AtomicBool,
    delay_ms: AtomicU64,
    /// Value and time of each key.
    held: Mutex<BTreeMap<String, (i64, u64)>>,
    /// Rows that were raised and not cleared.
    standing: Mutex<Rows>,
    last: AtomicU64,
}

fn value(attributes: &[KeyValue], name: &str) -> Value {
    let found = attributes.iter().find(|attribute| attribute.key == name).unwrap();
    found.value.clone().unwrap().value.unwrap()
}

impl Collector {
    async fn is_working(&self) -> bool {
        tokio::time::sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst))).await;
        !self.broken.load(Ordering::SeqCst)
    }

    async fn take_logs(&self, request: ExportLogsServiceRequest) -> bool {
        if !self.is_working().await {
            return false;
        }
        let logs = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        for record in logs.flat_map(|scope| scope.log_records) {
            let Value::StringValue(key) = value(&record.attributes, "watershed.key") else { panic!("a text") };
            let Value::IntValue(n) = value(&record.attributes, "watershed.n") else { panic!("a number") };
            let row = format!("{{\"key\":\"{key}\",\"n\":{n}}}");
            let mut standing = self.standing.lock().unwrap();
            match record.event_name.as_str() {
                "watershed.numbers.raised" => drop(standing.insert(row, 1)),
                "watershed.numbers.cleared" => assert_eq!(standing.remove(&row), Some(1)),
                other => panic!("{other}"),
            }
            self.last.fetch_max(record.observed_time_unix_nano / 1_000_000, Ordering::SeqCst);
        }
        true
    }

    async fn take(&self, request: ExportMetricsServiceRequest) -> bool {
        if !self.is_working().await {
            return false;
        }
        let metrics = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
        for metric in metrics.flat_map(|scope| scope.metrics) {
            assert_eq!(metric.name, "watershed.numbers.n");
            let Some(Data::Gauge(gauge)) = metric.data else { panic!("a gauge") };
            for point in gauge.data_points {
                let [key] = point.attributes.as_slice() else { panic!("one attribute") };
                assert_eq!(key.key, "key");
                let Some(Value::StringValue(key)) = key.value.clone().unwrap().value else { panic!("a text") };
                let time = point.time_unix_nano / 1_000_000;
                self.last.fetch_max(time, Ordering::SeqCst);
                match point.value {
                    Some(Number::AsDouble(value)) => {
                        self.held.lock().unwrap().insert(key, (value as i64, time));
                    }
                    Some(Number::AsInt(_)) => panic!("gauges are doubles"),
                    None => {
                        assert_eq!(point.flags, 1);
                        self.held.lock().unwrap().remove(&key);
                    }
                }
            }
        }
        true
    }
}

#[derive(Clone)]
struct Grpc(Arc<Collector>);

#[tonic::async_trait]
impl MetricsService for Grpc {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        match self.0.take(request.into_inner()).await {
            true => Ok(Response::new(ExportMetricsServiceResponse::default())),
            false => Err(Status::unavailable("broken")),
        }
    }
}

#[tonic::async_trait]
impl LogsService for Grpc {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        match self.0.take_logs(request.into_inner()).await {
            true => Ok(Response::new(ExportLogsServiceResponse::default())),
            false => Err(Status::unavailable("broken")),
        }
    }
}

async fn take_logs(State(collector): State<Arc<Collector>>, body: Bytes) -> StatusCode {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    if collector.take_logs(request).await { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
}

async fn take(State(collector): State<Arc<Collector>>, body: Bytes) -> StatusCode {
    let request = ExportMetricsServiceRequest::decode(body).unwrap();
    if collector.take(request).await { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
}

pub(crate) struct Otlp {
    collector: Arc<Collector>,
    address: std::net::SocketAddr,
    protocol: &'static str,
    signal: &'static str,
}

impl Otlp {
    async fn new(protocol: &'static str, signal: &'static str) -> Result<Self, String> {
        let collector = Arc::new(Collector::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = match protocol {
            "http" => Router::new()
                .route("/v1/metrics", post(take))
                .route("/v1/logs", post(take_logs))
                .with_state(Arc::clone(&collector)),
            _ => {
                let service = Grpc(Arc::clone(&collector));
                let routes = tonic::service::Routes::new(MetricsServiceServer::new(service.clone()));
                routes.add_service(LogsServiceServer::new(service)).prepare().into_axum_router()
            }
        };
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Ok(Self { collector, address, protocol, signal })
    }
}

impl Other for Otlp {
    fn section(&self) -> String {
        let (address, protocol, signal) = (self.address, self.protocol, self.signal);
        format!(
            "[otlp]\nendpoint = \"http://{address}\"\nprotocol = \"{protocol}\"\nsignal = \"{signal}\"\nevery = \"1ms\"\n"
        )
    }

    fn held(&self) -> (Rows, u64) {
        if self.signal == "logs" {
            return (self.collector.standing.lock().unwrap().clone(), self.collector.last.load(Ordering::SeqCst));
        }
        let held = self.collector.held.lock().unwrap();
        // What a sink that was away did not see leave grows stale by itself.
        let last = self.collector.last.load(Ordering::SeqCst);
        let fresh = held.iter().filter(|(_, (_, time))| *time == last);
        let rows = fresh.map(|(key, (n, _))| (format!("{{\"key\":\"{key}\",\"n\":{n}}}"), 1)).collect();
        (rows, last)
    }

    fn break_it(&mut self) {
        self.collector.broken.store(true, Ordering::SeqCst);
    }

    fn mend(&mut self) {
        self.collector.broken.store(false, Ordering::SeqCst);
        self.collector.delay_ms.store(0, Ordering::SeqCst);
    }

    fn slow_down(&mut self) -> bool {
        self.collector.delay_ms.store(50, Ordering::SeqCst);
        true
    }

    fn refuse(&mut self, _: &str) -> bool {
        false
    }
}

mod http {
    use super::Otlp;

    crate::battery!(
        Otlp::new("http", "metrics").await,
        snapshot_deltas_and_retractions,
        a_restart_in_the_middle_changes_nothing,
        an_endpoint_that_is_down_is_tried_again,
        a_full_buffer_falls_back_to_a_snapshot,
        a_slow_endpoint_does_not_slow_the_view,
        shutdown_writes_what_waits_or_gives_up_in_time
    );
}

mod grpc {
    use super::Otlp;

    crate::battery!(
        Otlp::new("grpc", "metrics").await,
        snapshot_deltas_and_retractions,
        a_restart_in_the_middle_changes_nothing,
        an_endpoint_that_is_down_is_tried_again,
        a_full_buffer_falls_back_to_a_snapshot,
        a_slow_endpoint_does_not_slow_the_view,
        shutdown_writes_what_waits_or_gives_up_in_time
    );
}

mod http_logs {
    use super::Otlp;

    crate::battery!(
        Otlp::new("http", "logs").await,
        snapshot_deltas_and_retractions,
        an_endpoint_that_is_down_is_tried_again,
        a_full_buffer_falls_back_to_a_snapshot,
        a_slow_endpoint_does_not_slow_the_view,
        shutdown_writes_what_waits_or_gives_up_in_time
    );
}

mod grpc_logs {
    use super::Otlp;

    crate::battery!(
        Otlp::new("grpc", "logs").await,
        snapshot_deltas_and_retractions,
        an_endpoint_that_is_down_is_tried_again,
        a_full_buffer_falls_back_to_a_snapshot,
        a_slow_endpoint_does_not_slow_the_view,
        shutdown_writes_what_waits_or_gives_up_in_time
    );
}
