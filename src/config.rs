//! Settings from flag, environment, file and default, in that order, each with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use watershed_ingest::redaction::{Patterns, PatternsError, Rule, RuleError};

use crate::failure::{Failure, Outcome};
use crate::sizes::parse_bytes;

/// A setting: flag `--data-budget`, environment `WATERSHED_DATA_BUDGET` and file key `data_budget` are one.
#[derive(Debug)]
pub(crate) struct Key {
    /// As in the file.
    pub(crate) name: &'static str,
    /// Values when nobody says anything.
    default: &'static [&'static str],
    /// Whether it may be given more than once.
    repeats: bool,
    /// Whether `config show` hides it.
    secret: bool,
    check: fn(&str) -> Result<(), String>,
}

impl Key {
    fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    fn environment(&self) -> String {
        format!("WATERSHED_{}", self.name.to_ascii_uppercase())
    }
}

const fn key(name: &'static str, default: &'static [&'static str], check: fn(&str) -> Result<(), String>) -> Key {
    Key { name, default, repeats: false, secret: false, check }
}

/// All settings, in the order in which `config show` prints them.
pub(crate) static KEYS: [Key; 23] = [
    key("source", &["kernel"], check_source),
    Key { repeats: true, ..key("scope", &["all"], check_scope) },
    key("pace", &["recorded"], |text| one_of(text, &["recorded", "fast"])),
    key("listen", &["127.0.0.1:7070"], |text| listen_address(text).map(drop)),
    key("ring_bytes", &["16MiB"], |text| ring_bytes(text).map(drop)),
    key("data_budget", &["64MiB"], |text| parse_bytes(text).map(drop)),
    key("workers", &["1"], |text| whole(text, 1, 64).map(drop)),
    key("capture_bodies", &["1KiB"], |text| parse_bytes(text).map(drop)),
    Key { repeats: true, ..key("redact", &[], |text| rule(text).map(drop)) },
    Key { repeats: true, ..key("redact_sinks", &["builtin"], |text| patterns(text).map(drop)) },
    key("node", &[], not_empty),
    key("kubeconfig", &[], not_empty),
    key("asid", &["1"], |text| whole(text, 1, u64::from(u32::MAX)).map(drop)),
    key("state", &[], not_empty),
    key("detectors", &["bundled"], |text| one_of(text, &["bundled", "none"])),
    key("scripts", &[], not_empty),
    Key { secret: true, ..key("alert_webhook", &[], |text| crate::scripts::post_address(text).map(drop)) },
    key("sink_files", &[], not_empty),
    key("otel_collector", &[], not_empty),
    key("server", &["127.0.0.1:7070"], not_empty),
    Key { secret: true, ..key("token", &[], not_empty) },
    key("token_file", &[], not_empty),
    key("log", &["warn"], not_empty),
];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(String),
    Environment(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(formatter, "flag {flag}"),
            Origin::Environment(name) => write!(formatter, "environment {name}"),
            Origin::File(path) => write!(formatter, "file {}", path.display()),
            Origin::Default => formatter.write_str("default"),
        }
    }
}

/// The effective values. What is wrong with one is found when the settings are loaded, so getters cannot fail.
#[derive(Debug)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, (Vec<String>, Origin)>,
}

/// Values that flags gave, by key; absent where the flag was not used.
pub(crate) type Flags = BTreeMap<&'static str, Vec<String>>;

impl Settings {
    /// Puts the layers over each other; `environment` looks up one variable.
    pub(crate) fn load(
        flags: &Flags,
        environment: &dyn Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Outcome<Self> {
        let file = match file {
            None => None,
            Some(path) => Some((path, read_file(path)?)),
        };
        let mut values = BTreeMap::new();
        for key in &KEYS {
            let (value, origin) = layered(key, flags, environment, file.as_ref());
            for one in &value {
                (key.check)(one).map_err(|problem| Failure::usage(format!("{}: {problem}", place(key, &origin))))?;
            }
            values.insert(key.name, (value, origin));
        }
        Ok(Self { values })
    }

    /// Lines of `config show`: key, value, origin.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String, String)> {
        let line = |key: &Key| {
            let (values, origin) = &self.values[key.name];
            let shown = match values.as_slice() {
                [] => "(not set)".to_owned(),
                _ if key.secret => "(hidden)".to_owned(),
                values => values.join(", "),
            };
            (key.name, shown, origin.to_string())
        };
        KEYS.iter().map(line).collect()
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(|(values, _)| values.first()).map(String::as_str)
    }

    fn checked<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> T {
        let value = self.one(name).expect("the key has a default");
        parse(value).expect("values were checked when the settings were loaded")
    }

    /// `kernel` or `recording:FILE`.
    pub(crate) fn source(&self) -> &str {
        self.one("source").expect("the key has a default")
    }

    /// What to trace, as given.
    pub(crate) fn scopes(&self) -> &[String] {
        &self.values["scope"].0
    }

    /// Whether a recording is read as fast as it goes.
    pub(crate) fn pace_is_fast(&self) -> bool {
        self.one("pace") == Some("fast")
    }

    /// Whether the bundled detectors are on.
    pub(crate) fn bundled_detectors(&self) -> bool {
        self.one("detectors") == Some("bundled")
    }

    /// Where to listen.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.checked("listen", listen_address)
    }

    /// Bytes that the tables may keep.
    pub(crate) fn ring_bytes(&self) -> u64 {
        self.checked("ring_bytes", ring_bytes)
    }

    pub(crate) fn data_budget(&self) -> u64 {
        self.checked("data_budget", parse_bytes)
    }

    /// Dataflow workers.
    pub(crate) fn workers(&self) -> usize {
        self.checked("workers", |text| whole(text, 1, 64)) as usize
    }

    /// Bytes kept of each body.
    pub(crate) fn capture_bodies(&self) -> u64 {
        self.checked("capture_bodies", parse_bytes)
    }

    /// What is not stored of what was said.
    pub(crate) fn redact(&self) -> Vec<Rule> {
        self.values["redact"].0.iter().filter_map(|text| rule(text).ok()).collect()
    }

    /// What sinks and webhooks of this node do not tell.
    pub(crate) fn hidden(&self, node: &str) -> Patterns {
        let mut hidden = Patterns::default().with_host(node);
        self.values["redact_sinks"]
            .0
            .iter()
            .filter_map(|text| patterns(text).ok())
            .for_each(|some| hidden.extend(&some));
        hidden
    }

    /// Number of this agent.
    pub(crate) fn asid(&self) -> u32 {
        self.checked("asid", |text| whole(text, 1, u64::from(u32::MAX))) as u32
    }

    /// Name of this node, if given.
    pub(crate) fn node(&self) -> Option<&str> {
        self.one("node")
    }

    /// A kubeconfig file, `in-cluster` or `none`, if given.
    pub(crate) fn kubeconfig(&self) -> Option<&str> {
        self.one("kubeconfig")
    }

    /// Where named views are kept, if anywhere.
    pub(crate) fn state(&self) -> Option<PathBuf> {
        self.one("state").map(PathBuf::from)
    }

    /// The folder of the user's scripts, if there is one.
    pub(crate) fn scripts(&self) -> Option<PathBuf> {
        self.one("scripts").map(PathBuf::from)
    }

    /// Where alerts are posted to, if anywhere.
    pub(crate) fn alert_webhook(&self) -> Option<&str> {
        self.one("alert_webhook")
    }

    /// Where `px.export` sends to that names no collector, if anywhere.
    pub(crate) fn otel_collector(&self) -> Option<&str> {
        self.one("otel_collector")
    }

    /// The directory that file sinks may write in; `None`: everywhere, as long as only this machine reaches the server.
    pub(crate) fn sink_files(&self) -> Option<PathBuf> {
        let far = || {
            let state = self.state().unwrap_or_else(|| PathBuf::from("/var/lib/watershed"));
            (!self.listen().ip().is_loopback()).then(|| state.join("files"))
        };
        self.one("sink_files").map(PathBuf::from).or_else(far)
    }

    /// The server that clients talk to.
    pub(crate) fn server(&self) -> &str {
        self.one("server").expect("the key has a default")
    }

    /// Filter of the log on stderr.
    pub(crate) fn log(&self) -> &str {
        self.one("log").expect("the key has a default")
    }

    /// The token that the server asks for and clients send. One that was given closer by wins: `token` over
    /// `token_file` unless the file was named by a flag and the token was not.
    pub(crate) fn token(&self) -> Outcome<Option<String>> {
        let by_flag = |name: &str| matches!(self.values[name].1, Origin::Flag(_));
        let file_wins = by_flag("token_file") && !by_flag("token");
        if let Some(token) = self.one("token").filter(|_| !file_wins) {
            return Ok(Some(token.to_owned()));
        }
        let Some(path) = self.one("token_file") else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("--token-file {path}: {error}; write the token into that file")))?;
        match text.trim() {
            "" => Err(Failure::usage(format!("--token-file {path}: the file is empty"))),
            token => Ok(Some(token.to_owned())),
        }
    }
}

fn layered(
    key: &Key,
    flags: &Flags,
    environment: &dyn Fn(&str) -> Option<String>,
    file: Option<&(&Path, BTreeMap<String, Vec<String>>)>,
) -> (Vec<String>, Origin) {
    if let Some(values) = flags.get(key.name) {
        return (values.clone(), Origin::Flag(key.flag()));
    }
    let variable = key.environment();
    if let Some(value) = environment(&variable).filter(|value| !value.is_empty()) {
        let values = if key.repeats {
            value.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
        } else {
            vec![value]
        };
        return (values, Origin::Environment(variable));
    }
    if let Some((path, values)) = file
        && let Some(values) = values.get(key.name)
    {
        return (values.clone(), Origin::File(path.to_path_buf()));
    }
    (key.default.iter().map(|&value| value.to_owned()).collect(), Origin::Default)
}

fn place(key: &Key, origin: &Origin) -> String {
    match origin {
        Origin::Flag(_) | Origin::Default => key.flag(),
        Origin::Environment(name) => name.clone(),
        Origin::File(path) => format!("{}: {}", path.display(), key.name),
    }
}

fn read_file(path: &Path) -> Outcome<BTreeMap<String, Vec<String>>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::usage(format!("--config {shown}: {error}")))?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Failure::usage(located(&text, path, &error)))?;
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            return Err(Failure::usage(format!("{shown}: unknown key `{name}`{}", did_you_mean(&name))));
        };
        let list = match value {
            toml::Value::Array(items) if key.repeats => items.iter().map(scalar).collect::<Option<Vec<_>>>(),
            other => scalar(&other).map(|one| vec![one]),
        };
        let list = list.ok_or_else(|| {
            Failure::usage(format!(
                "{shown}: {name}: expected a string or number{}",
                if key.repeats { ", or a list of them" } else { "" }
            ))
        })?;
        values.insert(name, list);
    }
    Ok(values)
}

fn located(text: &str, path: &Path, error: &toml::de::Error) -> String {
    let offset = error.span().map_or(0, |span| span.start).min(text.len());
    let before = &text.as_bytes()[..offset];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    format!("{}:{line}:{column}: {}", path.display(), error.message())
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_)
        | toml::Value::Array(_)
        | toml::Value::Table(_) => None,
    }
}

fn did_you_mean(name: &str) -> String {
    let nearest = KEYS.iter().max_by(|a, b| {
        let likeness = |key: &Key| strsim::jaro_winkler(&name.replace('-', "_").to_ascii_lowercase(), key.name);
        likeness(a).total_cmp(&likeness(b))
    });
    nearest.map(|key| format!("; did you mean `{}`?", key.name)).unwrap_or_default()
}

fn one_of(text: &str, choices: &[&str]) -> Result<(), String> {
    if choices.contains(&text) { Ok(()) } else { Err(format!("`{text}` is none of {}", choices.join(", "))) }
}

fn not_empty(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(()) }
}

fn whole(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("`{text}` is not a whole number from {least} to {most}"))
}

fn check_source(text: &str) -> Result<(), String> {
    match text.split_once(':') {
        None if text == "kernel" => Ok(()),
        Some(("recording", path)) if !path.is_empty() => Ok(()),
        _ => Err(format!("`{text}` is no source; write kernel or recording:FILE")),
    }
}

fn check_scope(text: &str) -> Result<(), String> {
    text.parse::<watershed_bpf::Scope>().map(drop).map_err(|error| error.to_string())
}

fn rule(text: &str) -> Result<Rule, String> {
    text.parse().map_err(|error: RuleError| error.to_string())
}

fn patterns(text: &str) -> Result<Patterns, String> {
    text.parse().map_err(|error: PatternsError| error.to_string())
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let with_host = text.replacen("localhost:", "127.0.0.1:", 1);
    with_host.parse().map_err(|_| format!("`{text}` is not an address; write it like 127.0.0.1:7070 or [::1]:7070"))
}

#[cfg(test)]
mod tests;

/// A ring's size: bounded, since the kernel takes it from locked memory.
fn ring_bytes(text: &str) -> Result<u64, String> {
    match parse_bytes(text)? {
        bytes @ 4_096..=1_073_741_824 => Ok(bytes),
        _ => Err("from 4KiB to 1GiB".to_owned()),
    }
}
