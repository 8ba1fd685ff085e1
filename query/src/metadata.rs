//! Functions of the cluster's metadata.

/// Whether a function looks the cluster's metadata up.
pub(crate) fn is_metadata(_name: &str) -> bool {
    false
}
