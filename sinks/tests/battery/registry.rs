//! A schema registry as far as its HTTP interface goes: schemas get numbers, and a subject keeps its schema.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

/// Subjects and their schemas, by number.
type Schemas = Arc<Mutex<Vec<(String, String)>>>;

pub(crate) struct Registry {
    address: SocketAddr,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let router = Router::new()
            .route("/subjects/{subject}/versions", post(register))
            .route("/schemas/ids/{number}", get(schema))
            .with_state(Schemas::default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn register(
    State(schemas): State<Schemas>,
    Path(subject): Path<String>,
    body: String,
) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_str(&body).unwrap();
    let schema = body["schema"].as_str().unwrap().to_owned();
    let mut schemas = schemas.lock().unwrap();
    match schemas.iter().position(|(known, _)| *known == subject) {
        Some(number) if schemas[number].1 == schema => (StatusCode::OK, Json(json!({ "id": number }))),
        Some(_) => {
            let message = "Schema being registered is incompatible with an earlier schema";
            (StatusCode::CONFLICT, Json(json!({"error_code": 409, "message": message})))
        }
        None => {
            schemas.push((subject, schema));
            (StatusCode::OK, Json(json!({ "id": schemas.len() - 1 })))
        }
    }
}

async fn schema(State(schemas): State<Schemas>, Path(number): Path<usize>) -> Json<Value> {
    Json(json!({"schemaType": "AVRO", "schema": schemas.lock().unwrap()[number].1}))
}
