//! Exchanges as spans, with the attributes that OpenTelemetry's semantic conventions name. Pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use watershed_model::cells::{Cell, Cells};

use super::transport::Message;
use super::{ITEMS, integer, resource, scope, text};
use crate::endpoint::{Batch, Changes};
use crate::feed::Shape;
use crate::lines;

/// Whether rows are exchanges: they have an end and a duration, and stand for themselves.
pub(super) fn are_spans(shape: &Shape) -> bool {
    shape.key.is_empty() && ["time_", "latency"].iter().all(|name| shape.schema.field_with_name(name).is_ok())
}

/// The rows that came, by the service that was traced.
pub(super) fn messages(batch: &Batch, attributes: &[KeyValue], node: &str) -> Vec<Message> {
    let mut spans: Vec<(Service, Span)> = Vec::new();
    for changes in &batch.changes {
        let rows = Rows::of(changes, &batch.shape.view);
        for (row, (line, diff)) in lines::rows(changes).enumerate() {
            if diff > 0 {
                spans.push((rows.service(row), rows.span(row, &line, node)));
            }
        }
    }
    spans.chunks(ITEMS).map(|spans| message(spans, attributes)).collect()
}

/// Name, namespace and pod of what was traced, as far as the columns tell.
type Service = [Option<String>; 3];

fn message(spans: &[(Service, Span)], attributes: &[KeyValue]) -> Message {
    let items = spans.len();
    let mut by_service: BTreeMap<&Service, Vec<Span>> = BTreeMap::new();
    for (service, span) in spans {
        by_service.entry(service).or_default().push(span.clone());
    }
    let one = |(service, spans): (&Service, Vec<Span>)| {
        let mut attributes = attributes.to_vec();
        let [name, namespace, pod] = service;
        attributes.push(text("service.name", name.clone().unwrap_or_else(|| "unknown_service".to_owned())));
        attributes.extend(namespace.clone().map(|namespace| text("service.namespace", namespace)));
        attributes.extend(pod.clone().map(|pod| text("k8s.pod.name", pod)));
        let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
        ResourceSpans { resource: resource(attributes), scope_spans, ..ResourceSpans::default() }
    };
    let resource_spans = by_service.into_iter().map(one).collect();
    Message::Spans(ExportTraceServiceRequest { resource_spans }, items)
}

/// The columns of a batch by name.
struct Rows<'a> {
    columns: BTreeMap<String, Cells>,
    /// `http_events` and so on.
    table: &'a str,
}

/// What a protocol says of an exchange.
#[derive(Default)]
struct Told {
    name: String,
    attributes: Vec<KeyValue>,
    /// Kind of the error, if it was one.
    error: Option<String>,
}

impl<'a> Rows<'a> {
    fn of(changes: &Changes, table: &'a str) -> Self {
        let schema = changes.rows.schema();
        let named = schema.fields().iter().zip(changes.rows.columns());
        Self { columns: named.map(|(field, column)| (field.name().clone(), Cells::of(column))).collect(), table }
    }

    fn text(&self, row: usize, column: &str) -> Option<String> {
        match self.columns.get(column)?.at(row) {
            Cell::Text(text) if !text.is_empty() && text != "-" => Some(text.to_owned()),
            Cell::Bytes(bytes) if !bytes.is_empty() => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    fn integer(&self, row: usize, column: &str) -> Option<i64> {
        match self.columns.get(column)?.at(row) {
            Cell::Integer(value) => i64::try_from(value).ok(),
            _ => None,
        }
    }

    fn is_true(&self, row: usize, column: &str) -> bool {
        matches!(self.columns.get(column).map(|cells| cells.at(row)), Some(Cell::Boolean(true)))
    }

    fn service(&self, row: usize) -> Service {
        ["service", "namespace", "pod"].map(|column| self.text(row, column))
    }

    fn span(&self, row: usize, line: &str, node: &str) -> Span {
        let end = self.integer(row, "time_").unwrap_or_default().max(0) as u64;
        let latency = self.integer(row, "latency").unwrap_or_default().max(0) as u64;
        let role = self.integer(row, "trace_role").unwrap_or_default();
        let told = self.told(row, role);
        let mut attributes = told.attributes;
        attributes.extend(self.ends(row, role));
        attributes.extend(told.error.clone().map(|error| text("error.type", error)));
        let status = told.error.map(|message| Status { message, code: StatusCode::Error.into() });
        let kind = match role {
            1 => SpanKind::Client,
            2 => SpanKind::Server,
            _ => SpanKind::Internal,
        };
        // The same row always is the same span, so that one that is sent twice is one.
        let id = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, node, line).hash(&mut hasher);
            hasher.finish().max(1).to_be_bytes()
        };
        let (trace_id, parent_span_id) = self.traceparent(row).unwrap_or_else(|| ([id(0), id(1)].concat(), Vec::new()));
        Span {
            trace_id,
            parent_span_id,
            span_id: id(2).to_vec(),
            name: told.name,
            kind: kind.into(),
            start_time_unix_nano: end.saturating_sub(latency),
            end_time_unix_nano: end,
            attributes,
            status,
            ..Span::default()
        }
    }

    /// Trace and parent that the request names itself, as W3C's header does.
    fn traceparent(&self, row: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let value = self.header(row, "traceparent")?;
        let mut parts = value.split('-').skip(1);
        let (trace, parent) = (bytes(parts.next()?)?, bytes(parts.next()?)?);
        let is_set = |id: &[u8]| id.iter().any(|byte| *byte != 0);
        (trace.len() == 16 && parent.len() == 8 && is_set(&trace) && is_set(&parent)).then_some((trace, parent))
    }

    fn header(&self, row: usize, name: &str) -> Option<String> {
        let headers: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&self.text(row, "req_headers")?).ok()?;
        let (_, value) = headers.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.as_str().map(str::to_owned)
    }

    fn ends(&self, row: usize, role: i64) -> Vec<KeyValue> {
        let (remote, remote_port) = (self.text(row, "remote_addr"), self.integer(row, "remote_port"));
        let (local, local_port) = (self.text(row, "local_addr"), self.integer(row, "local_port"));
        let mut attributes = Vec::new();
        let mut end = |name: &str, address: &Option<String>, port: Option<i64>| {
            let Some(address) = address else { return };
            attributes.push(text(&format!("{name}.address"), address.clone()));
            attributes.extend(port.filter(|port| *port > 0).map(|port| integer(&format!("{name}.port"), port)));
        };
        end("network.peer", &remote, remote_port);
        match role {
            1 => end("server", &remote, remote_port),
            2 => {
                end("server", &local, local_port);
                end("client", &remote, remote_port);
            }
            _ => (),
        }
        attributes
    }

    fn told(&self, row: usize, role: i64) -> Told {
        let failed = || self.is_true(row, "failed").then(|| "_OTHER".to_owned());
        let database = |system: &str, operation: Option<String>, query: Option<String>| Told {
            name: operation.clone().unwrap_or_else(|| system.to_owned()),
            attributes: [
                Some(text("db.system.name", system.to_owned())),
                operation.map(|operation| text("db.operation.name", operation)),
                query.map(|query| text("db.query.text", query)),
            ]
            .into_iter()
            .flatten()
            .collect(),
            error: failed(),
        };
        let statement = |column: &str| {
            let query = self.text(row, column);
            let verb = query.as_deref().and_then(|query| query.split_whitespace().next()).map(str::to_ascii_uppercase);
            (verb.filter(|verb| verb.chars().all(|c| c.is_ascii_alphabetic())), query)
        };
        match self.table {
            "mysql_events" => {
                let (verb, query) = statement("req_body");
                database("mysql", verb, query)
            }
            "pgsql_events" => {
                let (verb, query) = statement("req");
                database("postgresql", verb, query)
            }
            "cql_events" => {
                let (verb, query) = statement("req_body");
                database("cassandra", verb, query)
            }
            "redis_events" => database("redis", self.text(row, "req_cmd"), None),
            "mongodb_events" => database("mongodb", self.text(row, "req_cmd"), self.text(row, "req_body")),
            _ if self.columns.contains_key("req_method") && self.columns.contains_key("resp_status") => {
                self.http(row, role)
            }
            table => {
                let protocol = table.split("_events").next().unwrap_or(table).to_owned();
                let attributes = vec![text("network.protocol.name", protocol.clone())];
                Told { name: protocol, attributes, error: failed() }
            }
        }
    }

    fn http(&self, row: usize, role: i64) -> Told {
        let method = self.text(row, "req_method").unwrap_or_else(|| "_OTHER".to_owned());
        let status = self.integer(row, "resp_status").unwrap_or_default();
        let target = self.text(row, "req_path").unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let scheme = if self.is_true(row, "encrypted") { "https" } else { "http" };
        let mut attributes = vec![
            text("http.request.method", method.clone()),
            text("url.path", path.to_owned()),
            text("url.scheme", scheme.to_owned()),
            integer("http.response.status_code", status),
        ];
        if !query.is_empty() {
            attributes.push(text("url.query", query.to_owned()));
        }
        let (major, minor) = (self.integer(row, "major_version"), self.integer(row, "minor_version"));
        if let (Some(major), Some(minor)) = (major, minor) {
            let version = if minor == 0 && major > 1 { major.to_string() } else { format!("{major}.{minor}") };
            attributes.push(text("network.protocol.version", version));
        }
        let sizes = [("req_body_size", "http.request.body.size"), ("resp_body_size", "http.response.body.size")];
        attributes.extend(sizes.iter().filter_map(|(column, name)| Some(integer(name, self.integer(row, column)?))));
        attributes.extend(self.header(row, "user-agent").map(|agent| text("user_agent.original", agent)));
        // A server is not to blame for what its client did wrong.
        let least = if role == 2 { 500 } else { 400 };
        let error = (status >= least || self.is_true(row, "failed")).then(|| status.to_string());
        Told { name: method, attributes, error }
    }
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    if !hexadecimal.is_ascii() || !hexadecimal.len().is_multiple_of(2) {
        return None;
    }
    (0..hexadecimal.len()).step_by(2).map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests;
