//! How messages get to a collector.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Extensions, Request, Status};

use super::{OtlpSettings, Protocol};
use crate::endpoint::Fault;
use crate::http::{self, Refusal};
use crate::manifest::ManifestError;
use crate::manifest::value::Span;

const TIMEOUT: Duration = Duration::from_secs(10);

/// One request.
#[derive(Debug, Clone)]
pub(super) enum Message {
    Spans(ExportTraceServiceRequest, usize),
    Metrics(ExportMetricsServiceRequest, usize),
    Logs(ExportLogsServiceRequest, usize),
}

impl Message {
    /// Spans, data points or log records in it.
    pub(super) fn items(&self) -> usize {
        let (Message::Spans(_, items) | Message::Metrics(_, items) | Message::Logs(_, items)) = self;
        *items
    }
}

/// A way to a collector.
pub(super) enum Transport {
    Http { client: Client, endpoint: Url, has_answered: bool },
    Grpc { channel: Channel, endpoint: Url, metadata: MetadataMap, has_answered: bool },
}

impl Transport {
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, ManifestError> {
        if settings.protocol == Protocol::Http {
            let client = http::client("otlp", &settings.headers, settings.token.as_ref(), settings.timeout)?;
            return Ok(Transport::Http { client, endpoint: settings.endpoint.clone(), has_answered: false });
        }
        let wrong = |what: &str| ManifestError(format!("[otlp] `{what}` cannot be sent"));
        let target = Endpoint::from_shared(settings.endpoint.to_string()).map_err(|_| wrong("endpoint"))?;
        let target = match settings.endpoint.scheme() {
            "https" => target.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(|_| wrong("endpoint"))?,
            _ => target,
        };
        let channel = target.timeout(settings.timeout.map_or(TIMEOUT, Span::duration)).connect_lazy();
        let mut metadata = MetadataMap::new();
        for (name, value) in &settings.headers {
            let key: MetadataKey<Ascii> = name.to_ascii_lowercase().parse().map_err(|_| wrong(name))?;
            metadata.insert(key, value.0.parse().map_err(|_| wrong(name))?);
        }
        if let Some(token) = &settings.token {
            let value: MetadataValue<Ascii> = format!("Bearer {}", token.0).parse().map_err(|_| wrong("token"))?;
            metadata.insert("authorization", value);
        }
        Ok(Transport::Grpc { channel, endpoint: settings.endpoint.clone(), metadata, has_answered: false })
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: Message) -> Result<(), Refusal> {
        match self {
            Transport::Http { client, endpoint, has_answered } => {
                let (path, body) = match &message {
                    Message::Spans(request, _) => ("v1/traces", request.encode_to_vec()),
                    Message::Metrics(request, _) => ("v1/metrics", request.encode_to_vec()),
                    Message::Logs(request, _) => ("v1/logs", request.encode_to_vec()),
                };
                let mut url = endpoint.clone();
                url.set_path(&format!("{}/{path}", endpoint.path().trim_end_matches('/')));
                let request = client.post(url.clone()).header(CONTENT_TYPE, "application/x-protobuf").body(body);
                http::send(request, &url, *has_answered).await?;
                *has_answered = true;
                Ok(())
            }
            Transport::Grpc { channel, endpoint, metadata, has_answered } => {
                let sent = match message {
                    Message::Spans(request, _) => {
                        let request = Request::from_parts(metadata.clone(), Extensions::default(), request);
                        TraceServiceClient::new(channel.clone()).export(request).await.map(drop)
                    }
                    Message::Metrics(request, _) => {
                        let request = Request::from_parts(metadata.clone(), Extensions::default(), request);
                        MetricsServiceClient::new(channel.clone()).export(request).await.map(drop)
                    }
                    Message::Logs(request, _) => {
                        let request = Request::from_parts(metadata.clone(), Extensions::default(), request);
                        LogsServiceClient::new(channel.clone()).export(request).await.map(drop)
                    }
                };
                if let Err(status) = sent {
                    return Err(match refusal(&status, *has_answered) {
                        Refusal::Request(Fault::Retry(reason)) if status.code() == Code::Unavailable => {
                            Refusal::Request(http::unreached(endpoint, reason, *has_answered).await)
                        }
                        other => other,
                    });
                }
                *has_answered = true;
                Ok(())
            }
        }
    }
}

fn refusal(status: &Status, has_answered: bool) -> Refusal {
    let message = format!("the collector answered {}: {}", status.code().description(), status.message());
    match status.code() {
        Code::InvalidArgument => Refusal::Content(message),
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented if !has_answered => {
            Refusal::Request(Fault::Fatal(message))
        }
        _ => Refusal::Request(Fault::Retry(message)),
    }
}
