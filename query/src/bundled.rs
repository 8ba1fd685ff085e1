//! The scripts of `scripts/`, carried in the program. Those whose manifest says so are views that are always on.

use std::sync::LazyLock;

/// A script that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bundled {
    /// Folder in `scripts/`, such as `ws/service_map`.
    pub name: &'static str,
    /// Name of its file; the ending tells the language.
    pub file: &'static str,
    /// The script.
    pub text: &'static str,
    /// Variables and widgets of a PxL script, as JSON.
    pub vis: Option<&'static str>,
    /// What it shows, in one sentence.
    pub doc: &'static str,
    /// Kept up on every node, whether somebody subscribes or not.
    pub always_on: bool,
}

fn bundle(
    name: &'static str,
    file: &'static str,
    text: &'static str,
    vis: Option<&'static str>,
    manifest: &'static str,
) -> Bundled {
    let always_on = field(manifest, "always_on") == "true";
    Bundled { name, file, text, vis, doc: field(manifest, "doc"), always_on }
}

/// A field of a manifest, which is lines of `name: plain text`; empty if there is none.
fn field(manifest: &'static str, name: &str) -> &'static str {
    let value = |line: &'static str| line.strip_prefix(name)?.strip_prefix(':');
    manifest.lines().find_map(value).map_or("", str::trim)
}

static BUNDLED: LazyLock<Vec<Bundled>> = LazyLock::new(|| include!(concat!(env!("OUT_DIR"), "/bundled.rs")).into());

/// All of them, by name.
#[must_use]
pub fn bundled() -> &'static [Bundled] {
    &BUNDLED
}

#[cfg(test)]
mod tests;
