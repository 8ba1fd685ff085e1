//! `watershed.v1.Status`: what the server is and how it is doing.

use std::sync::{Arc, PoisonError};

use tonic::{Request, Response, Status};
use watershed_proto::v1;

use super::Server;

/// The service.
pub(super) struct Service {
    pub(super) server: Arc<Server>,
}

#[tonic::async_trait]
impl v1::status_server::Status for Service {
    async fn get(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        Ok(Response::new(of(&self.server)))
    }
}

/// The status of the server.
pub(super) fn of(server: &Server) -> v1::StatusResponse {
    let ingest = server.ingest.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|ingest| ingest.status());
    let (source_ended, probes) = ingest.map(|status| (status.ended, status.probes)).unwrap_or_default();
    let probes = probes.into_iter().map(|probe| v1::Probe {
        name: probe.name.to_string(),
        attached: probe.attached,
        error: probe.error.to_string(),
        lost: probe.lost.to_string(),
    });
    v1::StatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: server.node.clone(),
        source: server.source.clone(),
        scopes: server.scopes.clone(),
        closed: server.engine.dataflow.closed().0,
        uptime_ms: server.engine.started.elapsed().as_millis() as u64,
        source_ended,
        probes: probes.collect(),
    }
}
