//! What endpoints that speak HTTP share: the client, and what an answer means.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::Error as _;

use crate::certificate;
use crate::endpoint::Fault;
use crate::manifest::ManifestError;
use crate::manifest::value::{Secret, Span};

/// An answer may take this long unless the manifest says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a request was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Not this content, ever.
    Content(String),
    /// Not now, or not from us.
    Request(Fault),
}

/// Reads a URL of a manifest.
pub(crate) fn url<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
    let url = text.parse().ok().filter(is_http);
    url.ok_or_else(|| D::Error::custom(format!("`{text}` is no URL; write it like https://host/path")))
}

/// A client that sends these headers with each request. `section` is the manifest's, for messages.
pub(crate) fn client(
    section: &str,
    headers: &BTreeMap<String, Secret>,
    token: Option<&Secret>,
    timeout: Option<Span>,
) -> Result<Client, ManifestError> {
    let mut sent = HeaderMap::new();
    let wrong = |name: &str| ManifestError(format!("[{section}] `{name}` cannot be sent as a header"));
    for (name, value) in headers {
        let key: HeaderName = name.parse().map_err(|_| wrong(name))?;
        sent.insert(key, secret(&value.0).map_err(|()| wrong(name))?);
    }
    if let Some(token) = token {
        sent.insert(AUTHORIZATION, secret(&format!("Bearer {}", token.0)).map_err(|()| wrong("token"))?);
    }
    let client = Client::builder()
        .default_headers(sent)
        .timeout(timeout.map_or(TIMEOUT, Span::duration))
        .redirect(redirect::Policy::none())
        .user_agent(concat!("watershed/", env!("CARGO_PKG_VERSION")))
        .build();
    client.map_err(|error| ManifestError(format!("[{section}] {error}")))
}

fn secret(text: &str) -> Result<HeaderValue, ()> {
    let mut value: HeaderValue = text.parse().map_err(drop)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sends a request. `has_answered` says whether the address has ever worked: one that never did is a mistake of the
/// manifest.
pub(crate) async fn send(request: RequestBuilder, url: &Url, has_answered: bool) -> Result<(), Refusal> {
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Err(Refusal::Request(unreached(url, reason_of(&error), has_answered).await)),
    };
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let message = format!("{url} answered {status}");
    Err(match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Refusal::Content(message)
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Refusal::Request(Fault::Retry(message))
        }
        _ if (status.is_client_error() || status.is_redirection()) && !has_answered => {
            Refusal::Request(Fault::Fatal(message))
        }
        _ => Refusal::Request(Fault::Retry(message)),
    })
}

/// The fault of an address that a request did not reach. Its certificate may be what is wrong.
pub(crate) async fn unreached(url: &Url, reason: String, has_answered: bool) -> Fault {
    let (Some(host), Some(port), "https") = (url.host_str(), url.port_or_known_default(), url.scheme()) else {
        return Fault::Retry(reason);
    };
    let host = host.to_owned();
    let asked = tokio::task::spawn_blocking(move || certificate::of_server(&host, port));
    match asked.await.ok().flatten() {
        Some(reason) if !has_answered => Fault::Fatal(reason),
        Some(reason) => Fault::Retry(reason),
        None => Fault::Retry(reason),
    }
}

/// The chain of causes on one line.
fn reason_of(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        write!(text, ": {error}").expect("text grows");
        cause = error.source();
    }
    text
}
