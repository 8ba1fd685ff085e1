//! HTTP/2 with gRPC in it, by stream: method, path, both statuses and the bytes of data each way.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part, list};
use super::{Said, number, scalar, text};

const DATA: &str = "0";
const HEADERS: &str = "1";

#[derive(Debug, Default)]
struct Call {
    headers: BTreeMap<String, String>,
    asked: u64,
    answered: u64,
}

fn said(connection: u16, call: &Call) -> Said {
    let of = |name: &str| call.headers.get(name).map_or("", String::as_str);
    let request = format!("{} {} {}", of(":method"), of(":path"), call.asked);
    Said { connection, request, answer: format!("{} {} {}", of(":status"), of("grpc-status"), call.answered) }
}

/// Every stream of a request is a row.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut calls = BTreeMap::<(u16, String), Call>::new();
    for Part { connection, from_client, what } in capture.layers("http2")? {
        for frame in list(&what["http2.stream"]) {
            let kind = scalar(&frame["http2.type"]);
            if kind != DATA && kind != HEADERS {
                continue;
            }
            let call = calls.entry((connection, scalar(&frame["http2.streamid"]))).or_default();
            for header in list(&frame["http2.header"]) {
                call.headers.insert(scalar(&header["http2.header.name"]), scalar(&header["http2.header.value"]));
            }
            if kind == DATA {
                let bytes: u64 = scalar(&frame["http2.length"]).parse().unwrap_or(0);
                *if from_client { &mut call.asked } else { &mut call.answered } += bytes;
            }
        }
    }
    Ok(calls.iter().map(|((connection, _), call)| said(*connection, call)).collect())
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let headers: Value = serde_json::from_str(text(row, "resp_headers")).unwrap_or_default();
    let request = format!("{} {} {}", text(row, "req_method"), text(row, "req_path"), number(row, "req_body_size"));
    let status = scalar(&headers["grpc-status"]);
    Said::by(row, request, format!("{} {status} {}", number(row, "resp_status"), number(row, "resp_body_size")))
}
