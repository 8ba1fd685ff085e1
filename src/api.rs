//! One port for everything: gRPC with reflection and health, gRPC-web, HTTP with JSON and server-sent events, and the
//! page.

mod auth;
mod detectors;
mod errors;
mod http;
mod metrics;
mod sinks;
mod status;
mod views;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use watershed_ingest::Ingest;
use watershed_proto::v1::detectors_server::DetectorsServer;
use watershed_proto::v1::sinks_server::SinksServer;
use watershed_proto::v1::status_server::StatusServer;
use watershed_proto::v1::views_server::ViewsServer;

pub(crate) use metrics::labels;

use crate::detectors::Detectors;
use crate::engine::Engine;
use crate::services::Services;
use crate::sinks::Sinks;

/// Requests under way when the server stops have this long to end.
const LAST_REQUESTS: Duration = Duration::from_secs(3);
/// Largest message that a client may send.
const LARGEST_REQUEST: usize = 4 << 20;
/// Largest manifest with the files that it names: models have tens of megabytes.
const LARGEST_DETECTOR: usize = 64 << 20;

/// What requests are answered from.
pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) sinks: Arc<Sinks>,
    pub(crate) services: Services,
    pub(crate) detectors: Arc<Detectors>,
    /// `None` once it was stopped.
    pub(crate) ingest: Mutex<Option<Ingest>>,
    pub(crate) node: String,
    pub(crate) source: String,
    pub(crate) scopes: Vec<String>,
    /// Clients must send it if it is set.
    pub(crate) token: Option<String>,
}

/// Serves until `stopping` turns true, then gives requests under way a bounded time to end.
pub(crate) async fn serve(
    server: Arc<Server>,
    listener: TcpListener,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let router = router(&server).await?;
    let mut stopped = stopping.clone();
    let until = async move {
        let _ = stopped.wait_for(|stopping| *stopping).await;
    };
    let listener = listener.tap_io(|stream| {
        // Deltas are small and wait for nothing.
        let _ = stream.set_nodelay(true);
    });
    let serving = async { axum::serve(listener, router).with_graceful_shutdown(until).await.context("serving") };
    let too_late = async {
        let _ = stopping.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        result = serving => result,
        () = too_late => Ok(()),
    }
}

async fn router(server: &Arc<Server>) -> anyhow::Result<Router> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<ViewsServer<views::Service>>().await;
    health.set_serving::<StatusServer<status::Service>>().await;
    health.set_serving::<SinksServer<sinks::Service>>().await;
    let reflection = |descriptors: &'static [u8]| {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    health.set_serving::<DetectorsServer<detectors::Service>>().await;
    let detectors = DetectorsServer::new(detectors::Service { server: Arc::clone(server) })
        .max_decoding_message_size(LARGEST_DETECTOR);
    let views = ViewsServer::new(views::Service { server: Arc::clone(server) })
        .max_decoding_message_size(LARGEST_REQUEST)
        .max_encoding_message_size(usize::MAX);
    let grpc = tonic::service::Routes::new(views)
        .add_service(detectors)
        .add_service(StatusServer::new(status::Service { server: Arc::clone(server) }))
        .add_service(SinksServer::new(sinks::Service { sinks: Arc::clone(&server.sinks) }))
        .add_service(health_service)
        .add_service(reflection(watershed_proto::DESCRIPTORS).build_v1().context("reflection")?)
        .add_service(reflection(watershed_proto::DESCRIPTORS).build_v1alpha().context("reflection")?)
        .prepare()
        .into_axum_router()
        .reset_fallback()
        .layer(tonic_web::GrpcWebLayer::new());
    let router = grpc.merge(http::routes(Arc::clone(server))).fallback(errors::not_found);
    Ok(router.layer(axum::middleware::from_fn_with_state(Arc::clone(server), auth::check)))
}
