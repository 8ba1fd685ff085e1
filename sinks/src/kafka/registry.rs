//! A schema registry: it gives schemas numbers.

use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::runtime::Handle;

use super::settings::Registry;
use crate::endpoint::Fault;

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Refused {
    message: String,
}

/// Registers a schema of a subject, or finds it; blocks. A refusal of one that `is_new` is a mistake of the manifest.
pub(super) fn number(registry: &Registry, subject: &str, schema: &str, is_new: bool) -> Result<u32, Fault> {
    Handle::current().block_on(ask(registry, subject, schema, is_new))
}

async fn ask(registry: &Registry, subject: &str, schema: &str, is_new: bool) -> Result<u32, Fault> {
    let shown = &registry.url;
    let again = |error: reqwest::Error| Fault::Retry(format!("registry {shown}: {}", error.without_url()));
    let mut url: Url = registry.url.clone();
    url.path_segments_mut()
        .map_err(|()| Fault::Fatal(format!("registry {shown}: no such address")))?
        .pop_if_empty()
        .extend(["subjects", subject, "versions"]);
    let client = Client::builder().timeout(super::ANSWER).build().map_err(again)?;
    let body = serde_json::json!({ "schema": schema }).to_string();
    let mut request = client.post(url).header("content-type", "application/vnd.schemaregistry.v1+json").body(body);
    if let Some(username) = &registry.username {
        request = request.basic_auth(username, registry.password.as_ref().map(|password| &password.0));
    }
    let answer = request.send().await.map_err(again)?;
    let status = answer.status();
    let text = answer.text().await.map_err(again)?;
    if status.is_success() {
        let registered = serde_json::from_str::<Registered>(&text);
        return registered
            .map(|registered| registered.id)
            .map_err(|error| Fault::Retry(format!("registry {shown}: no number of a schema: {error}")));
    }
    let why = serde_json::from_str::<Refused>(&text).map_or_else(|_| status.to_string(), |refused| refused.message);
    let message = format!("registry {shown}: schema of {subject}: {}", why.lines().next().unwrap_or_default());
    Err(if is_new && status.is_client_error() { Fault::Fatal(message) } else { Fault::Retry(message) })
}
