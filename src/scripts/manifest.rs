//! `manifest.yaml`: lines of `name: plain text`, as those of the bundled scripts.

use std::time::Duration;

/// What a manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// What the script shows, in one sentence.
    pub(crate) doc: String,
    /// Kept up whether somebody subscribes or not.
    pub(crate) always_on: bool,
    /// Whether its rows are alerts; `None` where the manifest does not say.
    pub(crate) alert: Option<bool>,
    pub(crate) rule: AlertRule,
}

/// When a row becomes an alert, when it no longer is one, and who is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AlertRule {
    /// A row must stand so long before it is raised.
    pub(crate) raise_after: Duration,
    /// A row must be gone so long before it is cleared.
    pub(crate) clear_after: Duration,
    /// Columns that tell alerts apart; empty: the view's key, else the whole row.
    pub(crate) key: Vec<String>,
    /// Told beside the one of `--alert-webhook`'s, or instead of none.
    pub(crate) webhook: Option<String>,
}

const FIELDS: [&str; 8] = ["name", "doc", "always_on", "alert", "for", "clear", "key", "webhook"];

/// Reads a manifest.
///
/// # Errors
/// One line: which line is wrong, and how it should be.
pub(super) fn parse(text: &str) -> Result<Manifest, String> {
    let mut manifest = Manifest::default();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once(':').map_or((line, ""), |(name, value)| (name.trim(), value.trim()));
        field(&mut manifest, name, value).map_err(|problem| format!("manifest.yaml:{}: {problem}", number + 1))?;
    }
    Ok(manifest)
}

fn field(manifest: &mut Manifest, name: &str, value: &str) -> Result<(), String> {
    match name {
        "name" => {}
        "doc" => manifest.doc = value.to_owned(),
        "always_on" => manifest.always_on = truth(name, value)?,
        "alert" => manifest.alert = Some(truth(name, value)?),
        "for" => manifest.rule.raise_after = duration(name, value)?,
        "clear" => manifest.rule.clear_after = duration(name, value)?,
        "key" => manifest.rule.key = value.split(',').map(|column| column.trim().to_owned()).collect(),
        "webhook" => manifest.rule.webhook = Some(post_address(value)?),
        _ => {
            let near = crate::engine::nearest(name, FIELDS.into_iter());
            let hint = near.map_or_else(|| format!("; fields are {}", FIELDS.join(", ")), did_you_mean);
            return Err(format!("unknown field `{name}`{hint}"));
        }
    }
    Ok(())
}

fn did_you_mean(near: &str) -> String {
    format!("; did you mean `{near}`?")
}

fn truth(name: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("{name} is true or false, not `{value}`"))
}

fn duration(name: &str, value: &str) -> Result<Duration, String> {
    humantime::parse_duration(value).map_err(|_| format!("{name} is a duration such as 30s or 5m, not `{value}`"))
}

/// An address that alerts can be posted to.
pub(crate) fn post_address(value: &str) -> Result<String, String> {
    if value.starts_with("http://") || value.starts_with("https://") {
        return Ok(value.to_owned());
    }
    Err(format!("`{value}` is no address to post to; write it like http://host:port/path"))
}
