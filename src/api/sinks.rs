//! `watershed.v1.Sinks`.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use watershed_proto::v1;

use crate::sinks::Sinks;

/// The service.
pub(super) struct Service {
    pub(super) sinks: Arc<Sinks>,
}

#[tonic::async_trait]
impl v1::sinks_server::Sinks for Service {
    async fn apply_sink(
        &self,
        request: Request<v1::ApplySinkRequest>,
    ) -> Result<Response<v1::ApplySinkResponse>, Status> {
        let v1::ApplySinkRequest { manifest, origin, script } = request.into_inner();
        let sinks = Arc::clone(&self.sinks);
        let script = script.map(|script| (script.text, script.origin));
        // A client that goes away must not leave a sink half applied.
        let applied = tokio::spawn(async move { sinks.apply(manifest, origin, script).await }).await;
        let (replaced, sink) = applied.map_err(|error| Status::internal(error.to_string()))??;
        Ok(Response::new(v1::ApplySinkResponse { replaced, sink: Some(sink) }))
    }

    async fn list_sinks(&self, _: Request<v1::ListSinksRequest>) -> Result<Response<v1::ListSinksResponse>, Status> {
        Ok(Response::new(v1::ListSinksResponse { sinks: self.sinks.list() }))
    }

    async fn drop_sink(&self, request: Request<v1::DropSinkRequest>) -> Result<Response<v1::DropSinkResponse>, Status> {
        let (sinks, name) = (Arc::clone(&self.sinks), request.into_inner().name);
        let dropped = tokio::spawn(async move { sinks.drop_sink(&name).await }).await;
        dropped.map_err(|error| Status::internal(error.to_string()))??;
        Ok(Response::new(v1::DropSinkResponse {}))
    }
}
