//! HTTP for browsers and scripts: health, metrics, the page, and the API as JSON with server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event as SentEvent, KeepAlive, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use watershed_dataflow::Pace;
use watershed_proto::v1;

use super::errors::{http_error, http_problem};
use super::{Server, metrics, status, views};
use crate::engine::{Beginning, Follower, Request, Target};
use crate::format::json;

type Shared = State<Arc<Server>>;

/// All paths outside of gRPC.
pub(super) fn routes(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(include_str!("../../web/index.html")) }))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(measured))
        .route("/api/v1/query", get(query_by_address).post(query_by_body))
        .route("/api/v1/subscribe", get(subscribe))
        .route("/api/v1/views", get(list_views))
        .route("/api/v1/tables", get(list_tables))
        .route("/api/v1/scripts", get(list_scripts))
        .route("/api/v1/status", get(state))
        .with_state(server)
}

/// `view`, `script` or `text`; every other parameter of an address is an argument of the script.
#[derive(Debug, Deserialize)]
struct Asked {
    /// A named view, else a bundled script.
    #[serde(alias = "view", alias = "script")]
    name: Option<String>,
    /// A script's text.
    #[serde(alias = "q", alias = "sql")]
    text: Option<String>,
    #[serde(default)]
    arguments: BTreeMap<String, String>,
}

impl Asked {
    fn of_address(mut parameters: BTreeMap<String, String>) -> Self {
        let mut first = |names: [&str; 3]| names.into_iter().find_map(|name| parameters.remove(name));
        let (name, text) = (first(["view", "script", "name"]), first(["text", "q", "sql"]));
        Self { name, text, arguments: parameters }
    }

    fn request(self) -> Result<Request, Box<Response>> {
        let target = match (self.name, self.text) {
            (Some(name), None) => Target::Named(name),
            (None, Some(text)) => Target::Text { text, origin: "query".to_owned(), vis: None },
            _ => {
                let message = "give one of `view`, `script` (a name) and `text` (a script)";
                return Err(Box::new(http_error(StatusCode::BAD_REQUEST, message)));
            }
        };
        Ok(Request { target, arguments: self.arguments })
    }
}

async fn ready(State(server): Shared) -> Response {
    // Views are built before the port is opened; what is waited for is the first tick.
    if server.engine.dataflow.closed().0 > 0 {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "no tick has been closed yet\n").into_response()
}

async fn measured(State(server): Shared) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::text(&server).await).into_response()
}

async fn query_by_address(state: Shared, Query(parameters): Query<BTreeMap<String, String>>) -> Response {
    query(state, Asked::of_address(parameters)).await
}

async fn query_by_body(state: Shared, Json(asked): Json<Asked>) -> Response {
    query(state, asked).await
}

async fn query(State(server): Shared, asked: Asked) -> Response {
    let request = match asked.request() {
        Ok(request) => request,
        Err(response) => return *response,
    };
    match server.engine.query(&request).await {
        Ok(answer) => ([(header::CONTENT_TYPE, "application/json")], json::of_answer(&answer)).into_response(),
        Err(problem) => http_problem(&problem),
    }
}

/// Every line of `subscribe -o jsonl` as one `data:`.
async fn subscribe(State(server): Shared, Query(mut parameters): Query<BTreeMap<String, String>>) -> Response {
    let no_snapshot = parameters.remove("no_snapshot").is_some_and(|value| value != "false");
    let request = match Asked::of_address(parameters).request() {
        Ok(request) => request,
        Err(response) => return *response,
    };
    let beginning = if no_snapshot { Beginning::Changes } else { Beginning::Snapshot };
    let follower =
        match Follower::start(Arc::clone(&server.engine), request, "http".to_owned(), beginning, Pace::Live).await {
            Ok(follower) => follower,
            Err(problem) => return http_problem(&problem),
        };
    let batches = stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next().await {
            Ok(event) => {
                let lines = json::lines_of_event(&event);
                let sent: Vec<_> = lines.lines().map(|line| Ok(SentEvent::default().data(line))).collect();
                Some((stream::iter(sent), Some(follower)))
            }
            Err(problem) => {
                let last: Result<_, Infallible> = Ok(SentEvent::default().event("end").data(problem.to_string()));
                Some((stream::iter(vec![last]), None))
            }
        }
    });
    Sse::new(futures::StreamExt::flatten(batches)).keep_alive(KeepAlive::default()).into_response()
}

async fn list_views(State(server): Shared) -> Json<Value> {
    let view = |view: crate::engine::NamedView| {
        json!({"name": view.name, "doc": view.doc, "bundled": view.bundled, "text": view.text, "key": view.key,
               "columns": view.columns.into_iter().map(|column| column_json(&column.into())).collect::<Vec<_>>()})
    };
    Json(json!({"views": server.engine.named_views().into_iter().map(view).collect::<Vec<_>>()}))
}

async fn list_tables(State(server): Shared) -> Json<Value> {
    let column = |column: &v1::TableColumn| {
        let mut json = column_json(&column.column.clone().unwrap_or_default());
        json["unit"] = column.unit.clone().into();
        json["doc"] = column.doc.clone().into();
        json
    };
    let table = |table: v1::Table| {
        json!({"name": table.name, "doc": table.doc, "kind": table.kind, "rows": table.rows, "bytes": table.bytes,
               "first_time": table.first_time_ns.to_string(), "last_time": table.last_time_ns.to_string(),
               "columns": table.columns.iter().map(column).collect::<Vec<_>>()})
    };
    Json(json!({"tables": views::tables_of(&server).into_iter().map(table).collect::<Vec<_>>()}))
}

async fn list_scripts(State(server): Shared) -> Json<Value> {
    let script = |script: v1::BundledScript| json!({"name": script.name, "doc": script.doc, "text": script.text, "error": script.error, "own": script.own});
    Json(json!({"scripts": views::scripts(&server).into_iter().map(script).collect::<Vec<_>>()}))
}

async fn state(State(server): Shared) -> Json<Value> {
    let status = status::of(&server);
    let probe = |probe: v1::Probe| json!({"name": probe.name, "attached": probe.attached, "error": probe.error, "lost": probe.lost});
    Json(json!({"version": status.version, "node": status.node, "source": status.source, "scopes": status.scopes,
                "closed": status.closed, "uptime_ms": status.uptime_ms, "source_ended": status.source_ended,
                "probes": status.probes.into_iter().map(probe).collect::<Vec<_>>()}))
}

fn column_json(column: &v1::Column) -> Value {
    json!({"name": column.name, "type": column.r#type, "semantic": column.semantic})
}
