//! A sink as its user writes it down: TOML with a name, what to follow, and one section that names the kind.

mod problem;
pub(crate) mod value;

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::endpoint::Endpoint;
use crate::feed::Shape;
use crate::file::FileSettings;
use crate::kafka::KafkaSettings;
use crate::otlp::OtlpSettings;
use crate::remote_write::RemoteWriteSettings;
use crate::retry::RetryPolicy;
use crate::running::Budget;
use crate::stdout::StdoutSettings;
use crate::webhook::WebhookSettings;
use problem::one_line;
use value::{Bytes, Span};

/// Longest name of a sink.
const LONGEST_NAME: usize = 63;
/// All kinds.
const SECTIONS: &str = "[kafka], [otlp], [remote_write], [webhook], [file], [stdout]";

/// A manifest that makes sense.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The sink's name.
    pub name: String,
    /// What it follows.
    pub follows: Follows,
    /// Where it writes to.
    pub kind: Kind,
    /// Built-in rules of what is hidden, instead of the server's; not checked here.
    pub redact: Option<Vec<String>>,
    /// Bounds and patience.
    pub budget: Budget,
}

/// What a sink follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follows {
    /// A named view.
    View(String),
    /// The rows that come into a table.
    Table(String),
    /// A bundled script, or a file beside the manifest.
    Script(String),
}

impl Follows {
    /// The name as written.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Follows::View(name) | Follows::Table(name) | Follows::Script(name) => name,
        }
    }
}

/// A sink's kind with its settings.
#[derive(Debug, Clone)]
pub enum Kind {
    /// A topic.
    Kafka(Box<KafkaSettings>),
    /// Lines of a file.
    File(FileSettings),
    /// Lines on the server's standard output.
    Stdout(StdoutSettings),
    /// Spans and metrics of OpenTelemetry.
    Otlp(Box<OtlpSettings>),
    /// Series of Prometheus.
    RemoteWrite(Box<RemoteWriteSettings>),
    /// HTTP requests.
    Webhook(Box<WebhookSettings>),
}

/// Who runs a sink, as endpoints tell it to whoever reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The sink's name.
    pub sink: String,
    /// The node that it runs on.
    pub node: String,
}

/// A manifest with a mistake in it: one line that says where and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(pub String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    view: Option<String>,
    table: Option<String>,
    script: Option<String>,
    redact: Option<Vec<String>>,
    kafka: Option<KafkaSettings>,
    otlp: Option<OtlpSettings>,
    remote_write: Option<RemoteWriteSettings>,
    webhook: Option<WebhookSettings>,
    file: Option<FileSettings>,
    stdout: Option<StdoutSettings>,
    #[serde(default)]
    budget: WrittenBudget,
    #[serde(default)]
    retry: WrittenRetry,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct WrittenBudget {
    buffer: Option<Bytes>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct WrittenRetry {
    first: Option<Span>,
    longest: Option<Span>,
}

impl Manifest {
    /// Reads a manifest; `origin` is the file's name for messages.
    ///
    /// # Errors
    /// With the first mistake, on one line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ManifestError> {
        let mut written: Written = toml::from_str(text).map_err(|error| one_line(text, origin, &error))?;
        let wrong = |message: String| ManifestError(format!("{origin}: {message}"));
        check_name(&written.name).map_err(wrong)?;
        let kind = written.kind();
        Ok(Self {
            follows: follows(written.view, written.table, written.script).map_err(wrong)?,
            budget: budget(&written.budget, &written.retry).map_err(wrong)?,
            kind: kind.map_err(wrong)?,
            redact: written.redact,
            name: written.name,
        })
    }
}

impl Written {
    /// The one section there has to be.
    fn kind(&mut self) -> Result<Kind, String> {
        let kinds = [
            self.kafka.take().map(|settings| Kind::Kafka(settings.into())),
            self.otlp.take().map(|settings| Kind::Otlp(settings.into())),
            self.remote_write.take().map(|settings| Kind::RemoteWrite(settings.into())),
            self.webhook.take().map(|settings| Kind::Webhook(settings.into())),
            self.file.take().map(Kind::File),
            self.stdout.take().map(Kind::Stdout),
        ];
        let mut kinds = kinds.into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(kind),
            (None, _) => Err(format!("says not where to write; add one of the sections {SECTIONS}")),
            (Some(one), Some(other)) => {
                Err(format!("has the sections [{}] and [{}]; make two sinks of it", one.name(), other.name()))
            }
        }
    }
}

impl Kind {
    /// The section's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Kafka(_) => "kafka",
            Kind::File(_) => "file",
            Kind::Stdout(_) => "stdout",
            Kind::Otlp(_) => "otlp",
            Kind::RemoteWrite(_) => "remote_write",
            Kind::Webhook(_) => "webhook",
        }
    }

    /// Whether this kind can take such rows.
    ///
    /// # Errors
    /// When it cannot; says why.
    pub fn check(&self, shape: &Shape) -> Result<(), ManifestError> {
        match self {
            Kind::Kafka(settings) => settings.check(shape),
            Kind::Otlp(settings) => settings.check(shape),
            Kind::RemoteWrite(settings) => settings.check(shape),
            Kind::File(_) | Kind::Stdout(_) | Kind::Webhook(_) => Ok(()),
        }
    }

    /// The endpoint that the settings describe; files are written below `files` only.
    ///
    /// # Errors
    /// When a setting is wrong in a way that only shows here, such as a path outside of that directory.
    pub fn endpoint(&self, identity: Identity, files: Option<&Path>) -> Result<Box<dyn Endpoint>, ManifestError> {
        Ok(match self {
            Kind::Kafka(settings) => Box::new(crate::kafka::Kafka::new(settings.as_ref().clone(), identity)),
            Kind::File(settings) => settings.endpoint(files)?,
            Kind::Stdout(_) => Box::new(crate::stdout::Stdout),
            Kind::Otlp(settings) => Box::new(crate::otlp::Otlp::new(settings, &identity)?),
            Kind::RemoteWrite(settings) => Box::new(crate::remote_write::RemoteWrite::new(settings, &identity)?),
            Kind::Webhook(settings) => Box::new(crate::webhook::Webhook::new(settings, identity)?),
        })
    }
}

fn follows(view: Option<String>, table: Option<String>, script: Option<String>) -> Result<Follows, String> {
    match (view, table, script) {
        (Some(view), None, None) => Ok(Follows::View(view)),
        (None, Some(table), None) => Ok(Follows::Table(table)),
        (None, None, Some(script)) => Ok(Follows::Script(script)),
        (None, None, None) => Err("says not what to follow; add view = \"…\", table = \"…\" or script = \"…\"".into()),
        _ => Err("follows more than one thing; keep one of view, table and script".into()),
    }
}

fn budget(budget: &WrittenBudget, retry: &WrittenRetry) -> Result<Budget, String> {
    let default = Budget::default();
    let policy = RetryPolicy {
        first: retry.first.map_or(default.retry.first, Span::duration),
        longest: retry.longest.map_or(default.retry.longest, Span::duration),
    };
    if policy.first < Duration::from_millis(1) || policy.longest < policy.first {
        return Err("[retry] first must be at least 1ms and at most longest".to_owned());
    }
    let buffer_bytes = budget.buffer.map_or(default.buffer_bytes, |bytes| bytes.0 as usize);
    Ok(Budget { buffer_bytes, retry: policy })
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_plain && !name.is_empty() && name.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(format!("`{name}` is no name of a sink: letters, digits, `_` and `-`, at most {LONGEST_NAME}"))
}

#[cfg(test)]
mod tests;
