//! All objects of a kind, page by page.

use std::collections::HashSet;
use std::sync::Arc;

use kube::api::ListParams;
use kube::core::Request;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Report;
use super::failure::{End, Failure};
use super::kind::{Link, Resource};
use crate::decode::{Wire, decode};
use crate::facts::News;

/// Objects of a page; a pod has 5 to 20 KiB of JSON.
const PAGE: u32 = 50;

/// A list that was told, as of a version.
pub(super) struct Listing {
    pub(super) uids: HashSet<Arc<str>>,
    pub(super) version: String,
    /// Objects that could not be read.
    pub(super) unread: u64,
}

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMeta,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMeta {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// Tells the objects of each page as it comes: all of them at once would take the memory of the whole cluster.
pub(super) async fn list<W: Wire>(link: &Link, resource: &Resource) -> Result<Listing, End> {
    let mut listing = Listing { uids: HashSet::new(), version: String::new(), unread: 0 };
    let mut next = None;
    loop {
        let text = page(link, resource, next).await?;
        let page: Page<'_> = serde_json::from_str(&text).map_err(|error| Failure::Away(error.to_string()))?;
        for item in page.items.iter().flatten() {
            match serde_json::from_str::<W>(item.get()).ok().and_then(|wire| decode(wire, link.kind)) {
                Some(decoded) => {
                    listing.uids.insert(Arc::clone(&decoded.object.uid));
                    link.tell(Report::News(News::Applied(decoded.object))).await?;
                }
                None => listing.unread += 1,
            }
        }
        next = page.metadata.next.filter(|next| !next.is_empty());
        if next.is_none() {
            listing.version = page.metadata.resource_version;
            return Ok(listing);
        }
    }
}

async fn page(link: &Link, resource: &Resource, next: Option<String>) -> Result<String, Failure> {
    let parameters = ListParams { limit: Some(PAGE), continue_token: next, ..ListParams::default() };
    let request = Request::new(resource.path);
    let request = if resource.whole { request.list(&parameters) } else { request.list_metadata(&parameters) };
    let request = request.map_err(|error| Failure::Away(error.to_string()))?;
    Ok(link.client.request_text(request).await?)
}
