//! The token, asked of every request but the two that tell whether the server lives.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Server;
use super::errors::{http_error, is_grpc};

const MISSING: &str = "a token is required: give it with --token, --token-file or WATERSHED_TOKEN";

/// Passes requests that carry the server's token as `Authorization: Bearer TOKEN`; all, if it has none.
pub(super) async fn check(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let Some(token) = &server.token else { return next.run(request).await };
    // The page itself holds no data; it asks for the token and sends it.
    if matches!(request.uri().path(), "/healthz" | "/readyz" | "/") {
        return next.run(request).await;
    }
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if same(given.as_bytes(), token.as_bytes()) {
        return next.run(request).await;
    }
    if is_grpc(request.headers()) {
        return tonic::Status::unauthenticated(MISSING).into_http::<axum::body::Body>().into_response();
    }
    http_error(StatusCode::UNAUTHORIZED, MISSING)
}

/// Compares in a time that tells nothing about where the two differ.
fn same(given: &[u8], expected: &[u8]) -> bool {
    let differences = given.iter().zip(expected).fold(0, |sum, (a, b)| sum | (a ^ b));
    given.len() == expected.len() && differences == 0
}
