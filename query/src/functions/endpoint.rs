//! `http_endpoint(path)`: the path of a request target with ids templated as `{}` and the query cut off, so that the
//! number of endpoints is that of routes and not of things.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::HashMap;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

/// Longest endpoint, in bytes; the rest of the path becomes `…`.
const ENDPOINT_BYTES_MAX: usize = 512;
/// Distinct paths remembered within a batch.
const CACHED_PATHS_MAX: usize = 4096;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct HttpEndpoint {
    signature: Signature,
}

impl HttpEndpoint {
    pub(crate) fn new() -> Self {
        HttpEndpoint { signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for HttpEndpoint {
    fn name(&self) -> &str {
        "http_endpoint"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let paths = arrays[0].as_string::<i32>();
        let mut endpoints = StringBuilder::with_capacity(paths.len(), paths.value_data().len());
        // Where a path's endpoint is in `templates`; batches repeat few paths.
        let mut known: HashMap<&str, Range<usize>> = HashMap::new();
        let mut templates = String::new();
        for path in paths {
            let Some(path) = path else {
                endpoints.append_null();
                continue;
            };
            if let Some(range) = known.get(path) {
                endpoints.append_value(&templates[range.clone()]);
                continue;
            }
            let start = templates.len();
            template(path, &mut templates);
            endpoints.append_value(&templates[start..]);
            if known.len() < CACHED_PATHS_MAX {
                known.insert(path, start..templates.len());
            } else {
                templates.truncate(start);
            }
        }
        Ok(ColumnarValue::Array(Arc::new(endpoints.finish())))
    }
}

/// Appends the endpoint of a request target.
pub(crate) fn template(target: &str, out: &mut String) {
    let start = out.len();
    let path = path_of(target);
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        push_segment(segment, out);
        if out.len() - start > ENDPOINT_BYTES_MAX {
            let end = (start..=start + ENDPOINT_BYTES_MAX).rev().find(|at| out.is_char_boundary(*at));
            out.truncate(end.unwrap_or(start));
            out.push('…');
            return;
        }
    }
}

/// The path of a target in origin form (`/a?b`) or absolute form (`http://host/a?b`).
fn path_of(target: &str) -> &str {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let path = match path.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.find('/').map_or("/", |at| &rest[at..]),
        _ => path,
    };
    if path.is_empty() { "/" } else { path }
}

fn push_segment(segment: &str, out: &mut String) {
    // Words without a digit are names; this is most segments.
    if !segment.bytes().any(|byte| byte.is_ascii_digit()) {
        out.push_str(segment);
        return;
    }
    if is_id(segment.as_bytes()) {
        out.push_str("{}");
        return;
    }
    let is_separator = |c: char| matches!(c, '-' | '_' | '.' | ':' | ',' | ';' | '=' | '~' | '@' | '(' | ')');
    for part in segment.split_inclusive(is_separator) {
        let word = part.trim_end_matches(is_separator);
        out.push_str(if is_part_id(word.as_bytes()) { "{}" } else { word });
        out.push_str(&part[word.len()..]);
    }
}

/// A whole segment that is a number, a uuid, a date, an address or a long token.
fn is_id(segment: &[u8]) -> bool {
    let digits = segment.iter().filter(|byte| byte.is_ascii_digit()).count();
    let unsigned = segment.strip_prefix(b"-").unwrap_or(segment);
    if digits == unsigned.len() || is_uuid(segment) || is_hex(segment, digits) {
        return true;
    }
    let marks = segment.iter().filter(|byte| matches!(byte, b'-' | b'.' | b':' | b'_' | b',')).count();
    if digits + marks == segment.len() && segment.len() >= 6 {
        return true;
    }
    is_token(segment, digits)
}

/// A part of a segment such as `12345` of `order-12345`; short numbers are often versions, so they stay.
fn is_part_id(part: &[u8]) -> bool {
    let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == part.len() {
        return digits >= 3;
    }
    if is_hex(part, digits) || is_token(part, digits) {
        return true;
    }
    part.len() >= 12 && digits >= 2 && mixed_case(part) && part.iter().all(u8::is_ascii_alphanumeric)
}

fn is_uuid(segment: &[u8]) -> bool {
    segment.len() == 36
        && segment.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_hex(text: &[u8], digits: usize) -> bool {
    text.len() >= 8 && digits > 0 && text.iter().all(u8::is_ascii_hexdigit)
}

/// Base64-like: long, no words. Words joined by dashes are lower-case and have few digits.
fn is_token(text: &[u8], digits: usize) -> bool {
    if text.len() < 16 {
        return false;
    }
    if text.iter().all(u8::is_ascii_alphanumeric) {
        return digits >= 3;
    }
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'=');
    text.len() >= 20 && digits >= 2 && mixed_case(text) && text.iter().all(base64)
}

fn mixed_case(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_uppercase) && text.iter().any(u8::is_ascii_lowercase)
}
