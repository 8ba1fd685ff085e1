//! `watershed.v1.Detectors`: messages to the detectors' nouns and back.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use watershed_proto::v1;

use super::Server;
use crate::detectors::{Applied, Described};

/// The service.
pub(super) struct Service {
    pub(super) server: Arc<Server>,
}

#[tonic::async_trait]
impl v1::detectors_server::Detectors for Service {
    async fn apply(
        &self,
        request: Request<v1::ApplyDetectorRequest>,
    ) -> Result<Response<v1::ApplyDetectorResponse>, Status> {
        let v1::ApplyDetectorRequest { manifest, origin, script, model, model_path } = request.into_inner();
        let applied = Applied { manifest, origin, script, model, model_path, version: 0 };
        let (redefined, version) = self.server.detectors.apply(applied).await?;
        Ok(Response::new(v1::ApplyDetectorResponse { redefined, version }))
    }

    async fn list(&self, _: Request<v1::ListDetectorsRequest>) -> Result<Response<v1::ListDetectorsResponse>, Status> {
        let detectors = self.server.detectors.list().await.into_iter().map(detector_of).collect();
        Ok(Response::new(v1::ListDetectorsResponse { detectors }))
    }

    async fn show(
        &self,
        request: Request<v1::ShowDetectorRequest>,
    ) -> Result<Response<v1::ShowDetectorResponse>, Status> {
        let described = self.server.detectors.show(&request.into_inner().name).await?;
        let manifest = described.text.clone();
        Ok(Response::new(v1::ShowDetectorResponse { detector: Some(detector_of(described)), manifest }))
    }

    async fn drop(
        &self,
        request: Request<v1::DropDetectorRequest>,
    ) -> Result<Response<v1::DropDetectorResponse>, Status> {
        self.server.detectors.drop_detector(&request.into_inner().name).await?;
        Ok(Response::new(v1::DropDetectorResponse {}))
    }
}

fn detector_of(described: Described) -> v1::Detector {
    let Described { manifest, bundled, version, report, problem, .. } = described;
    let nanoseconds = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let batches = u32::try_from(report.batches.max(1)).unwrap_or(u32::MAX);
    v1::Detector {
        kind: manifest.model.name().to_owned(),
        source: manifest.source().to_owned(),
        name: manifest.name,
        doc: manifest.doc,
        bundled,
        enabled: manifest.enabled,
        version,
        subjects: report.subjects as u64,
        flags: report.flags as u64,
        bytes: report.bytes as u64,
        bytes_budget: manifest.budget.memory.0,
        batches: report.batches,
        last_batch_ns: nanoseconds(report.last_batch),
        mean_batch_ns: nanoseconds(report.all_batches / batches),
        dearest_batch_ns: nanoseconds(report.dearest_batch),
        batch_budget_ns: nanoseconds(manifest.budget.time_per_batch.0),
        scores: report.scores.quantiles(&[0.0, 0.5, 0.9, 0.99, 1.0]),
        unusable: report.unusable,
        evicted: report.evicted,
        errors: report.errors,
        suspended_time_ns: report.suspended.as_ref().map_or(0, |suspension| suspension.time),
        suspended: report.suspended.map(|suspension| suspension.reason).unwrap_or_default(),
        problem,
    }
}
