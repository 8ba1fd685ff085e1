//! Request paths and embeddings. PxL's models of language and clusters are not part of Watershed; those functions
//! exist so that scripts that name them run, and say so.

use super::rows::{map1, map2};
use super::{B, Entry, I, S, entry, over};

pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "_match_endpoint",
        &[over(&[S, S], B, |a| map2(a, matches_endpoint))],
        "Whether a path has the shape of an endpoint, in which `*` is any one segment.",
    ),
    entry(
        "_predict_request_path_cluster",
        &[over(&[S, S], S, |a| map2(a, |_: &str, _: &str| ""))],
        "Empty: paths are not clustered; http_endpoint has the shape of a path.",
    ),
    entry("_text_embedding", &[over(&[S], S, |a| map1(a, |_: &str| ""))], "Empty: there is no model of language."),
    entry(
        "_encode_sentence_piece",
        &[over(&[S], S, |a| map1(a, |_: &str| ""))],
        "Empty: there is no model of language.",
    ),
    entry(
        "_kmeans_inference",
        &[over(&[S, S], I, |a| map2(a, |_: &str, _: &str| 0_i64))],
        "0: there are no clusters of embeddings.",
    ),
];

fn matches_endpoint(path: &str, endpoint: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (mut segments, mut wanted) = (path.split('/'), endpoint.split('/'));
    loop {
        match (segments.next(), wanted.next()) {
            (None, None) => return true,
            (Some(segment), Some(wanted)) if wanted == segment || wanted == "*" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests;
