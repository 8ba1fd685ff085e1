//! Problems on the wire: gRPC statuses with `google.rpc.BadRequest` details, and JSON for HTTP.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use crate::engine::Problem;

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let message = problem.to_string();
        let bad = |code: Code, violations: Vec<FieldViolation>| {
            Status::with_error_details(code, message.clone(), ErrorDetails::with_bad_request(violations))
        };
        match problem {
            Problem::Script(problems) => {
                let violation = |problem: crate::engine::ScriptProblem| {
                    let field = format!("{}:{}:{}", problem.origin, problem.line, problem.column);
                    let hint = if problem.hint.is_empty() { String::new() } else { format!("; {}", problem.hint) };
                    FieldViolation::new(field, format!("{}{hint}", problem.message))
                };
                bad(Code::InvalidArgument, problems.into_iter().map(violation).collect())
            }
            Problem::CannotBeView { table, reason, hint } => {
                bad(Code::FailedPrecondition, vec![FieldViolation::new(table, format!("{reason}; {hint}"))])
            }
            Problem::Invalid { field, message } => {
                bad(Code::InvalidArgument, vec![FieldViolation::new(field, message)])
            }
            Problem::NotFound(_) => Status::not_found(message),
            Problem::Protected(_) => Status::failed_precondition(message),
            Problem::Dropped(_) => Status::aborted(message),
            Problem::Failed(_) => Status::internal(message),
            Problem::Stopping => Status::unavailable(message),
        }
    }
}

/// A problem as JSON: `{"error": …}`, with the places of what is wrong in a script.
pub(super) fn http_problem(problem: &Problem) -> Response {
    let code = match problem {
        Problem::Script(_) | Problem::CannotBeView { .. } | Problem::Invalid { .. } | Problem::Protected(_) => {
            StatusCode::BAD_REQUEST
        }
        Problem::NotFound(_) => StatusCode::NOT_FOUND,
        Problem::Dropped(_) => StatusCode::GONE,
        Problem::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Problem::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    };
    let Problem::Script(problems) = problem else { return http_error(code, &problem.to_string()) };
    let detail = |problem: &crate::engine::ScriptProblem| {
        json!({"origin": problem.origin, "line": problem.line, "column": problem.column,
               "message": problem.message, "hint": problem.hint})
    };
    let details: Vec<_> = problems.iter().map(detail).collect();
    (code, axum::Json(json!({"error": problem.to_string(), "details": details}))).into_response()
}

/// A message as JSON.
pub(super) fn http_error(code: StatusCode, message: &str) -> Response {
    (code, axum::Json(json!({"error": message}))).into_response()
}

/// What is served nowhere.
pub(super) async fn not_found(request: Request) -> Response {
    if is_grpc(request.headers()) {
        return Status::unimplemented("no such method").into_http::<axum::body::Body>().into_response();
    }
    http_error(StatusCode::NOT_FOUND, &format!("nothing is served at {}", request.uri().path()))
}

/// Whether a request speaks gRPC or gRPC-web.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}
