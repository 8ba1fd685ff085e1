//! The scripts of `scripts/`, carried in the program. Those of `ws/` are views that are always on.

use std::sync::LazyLock;

/// A script that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundled {
    /// Folder in `scripts/`, such as `ws/service_map`.
    pub name: &'static str,
    /// The SQL.
    pub text: &'static str,
    /// What it shows, in one sentence.
    pub doc: &'static str,
}

macro_rules! script {
    ($name:literal) => {
        Bundled {
            name: $name,
            text: include_str!(concat!("../../scripts/", $name, "/view.sql")),
            doc: doc_of(include_str!(concat!("../../scripts/", $name, "/manifest.yaml"))),
        }
    };
}

static BUNDLED: LazyLock<Vec<Bundled>> = LazyLock::new(|| {
    vec![script!("ws/endpoint_latency"), script!("ws/flows"), script!("ws/losses"), script!("ws/service_map")]
});

/// All of them, by name.
#[must_use]
pub fn bundled() -> &'static [Bundled] {
    &BUNDLED
}

/// The manifest's `doc`, which is one line of plain text.
fn doc_of(manifest: &'static str) -> &'static str {
    manifest.lines().find_map(|line| line.strip_prefix("doc:")).map_or("", str::trim)
}

#[cfg(test)]
mod tests;
