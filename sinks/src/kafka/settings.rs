//! `[kafka]` of a manifest, and the client's configuration that it means.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use reqwest::Url;
use serde::Deserialize;

use super::records::Mode;
use crate::certificate;
use crate::feed::Shape;
use crate::manifest::value::{Secret, Span};
use crate::manifest::{Identity, ManifestError};

/// Longer names are refused by brokers.
const LONGEST_TOPIC: usize = 249 - FRONTIER.len();
/// What the name of the topic of frontiers has more.
const FRONTIER: &str = ".frontier";
/// An open transaction of an agent that went away is given up by the broker after this long; readers
/// of the topic wait for that.
const TRANSACTION: Duration = Duration::from_secs(20);

/// `[kafka]` of a manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    brokers: Brokers,
    topic: Option<String>,
    #[serde(default = "changes")]
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) format: Format,
    #[serde(default)]
    acks: Acks,
    #[serde(default)]
    compression: Compression,
    /// Of a topic that is created.
    pub(super) partitions: Option<i32>,
    /// Of a topic that is created; the broker's default if it is not given.
    pub(super) replication: Option<i32>,
    /// How long a topic that is created keeps records; for ever if it is not given.
    pub(super) retention: Option<Span>,
    pub(super) registry: Option<Registry>,
    security: Option<Security>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Brokers {
    One(String),
    Many(Vec<String>),
}

fn changes() -> Mode {
    Mode::Changes
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Json,
    /// With schemas in a registry.
    Avro,
}

/// `[kafka.registry]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registry {
    #[serde(deserialize_with = "crate::http::url")]
    pub(super) url: Url,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
}

/// Transactions need all replicas, so that is the only choice.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "String")]
enum Acks {
    #[default]
    All,
}

impl TryFrom<String> for Acks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "all" | "-1" => Ok(Acks::All),
            _ => Err(format!("acks = \"{text}\" is too few for transactions; only \"all\" will do")),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Compression {
    None,
    Gzip,
    Snappy,
    #[default]
    Lz4,
    Zstd,
}

/// `[kafka.security]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Security {
    tls: Option<bool>,
    mechanism: Option<Mechanism>,
    username: Option<String>,
    password: Option<Secret>,
    /// Authority that has signed the brokers' certificates, PEM; the system's if it is not given.
    ca: Option<PathBuf>,
    /// The client's own certificate and key, PEM.
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    key_password: Option<Secret>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Security {
    fn is_tls(&self) -> bool {
        let files = [&self.ca, &self.certificate, &self.key];
        self.tls.unwrap_or(files.iter().any(|file| file.is_some()))
    }
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl KafkaSettings {
    /// Whether such rows can be written in this mode.
    pub(crate) fn check(&self, shape: &Shape) -> Result<(), ManifestError> {
        let wrong = |message: String| Err(ManifestError(format!("[kafka] {message}")));
        let Acks::All = self.acks;
        if self.brokers().is_empty() {
            return wrong("brokers is empty; write it like \"host:9092\"".to_owned());
        }
        match (self.format, &self.registry) {
            (Format::Json, None) | (Format::Avro, Some(_)) => (),
            (Format::Avro, None) => {
                return wrong(
                    "format = \"avro\" needs a schema registry: [kafka.registry] url = \"http://…\"".to_owned(),
                );
            }
            (Format::Json, Some(_)) => return wrong("a registry is of no use to format = \"json\"".to_owned()),
        }
        let topic = self.topic("node", &shape.view);
        let is_plain = topic.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if topic.is_empty() || topic.len() > LONGEST_TOPIC || !is_plain {
            return wrong(format!(
                "`{topic}` is no name of a topic: letters, digits, `.`, `_` and `-`, at most {LONGEST_TOPIC}"
            ));
        }
        if self.mode == Mode::Upsert && (shape.key.is_empty() || shape.append) {
            let view = &shape.view;
            return wrong(format!(
                "mode = \"upsert\" needs rows with a key, and those of `{view}` have none; use \"changes\""
            ));
        }
        self.check_security().or_else(|message| wrong(format!("[kafka.security] {message}")))
    }

    fn check_security(&self) -> Result<(), String> {
        let Some(security) = &self.security else { return Ok(()) };
        match (&security.mechanism, &security.username, &security.password) {
            (Some(_), Some(_), Some(_)) | (None, None, None) => (),
            (None, ..) => {
                return Err("a username or password needs a mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512".into());
            }
            (Some(_), ..) => return Err("a mechanism needs username and password".into()),
        }
        if security.certificate.is_some() != security.key.is_some() {
            return Err("certificate and key belong together".into());
        }
        let files = [&security.ca, &security.certificate, &security.key];
        if security.tls == Some(false) && files.iter().any(|file| file.is_some()) {
            return Err("tls = false, but there are certificates".into());
        }
        // Brokers refuse the client's own at the handshake, with no word of why.
        [&security.ca, &security.certificate].into_iter().flatten().try_for_each(|file| certificate::check_file(file))
    }

    /// Of the first broker whose certificate's time is over. Blocks.
    pub(super) fn ended_certificate(&self) -> Option<String> {
        if !self.security.as_ref().is_some_and(Security::is_tls) {
            return None;
        }
        let brokers = self.brokers();
        let ends = brokers.split(',').map(|broker| broker.trim().rsplit_once(':').unwrap_or((broker.trim(), "9092")));
        ends.filter_map(|(host, port)| certificate::of_server(host.trim_matches(['[', ']']), port.parse().ok()?)).next()
    }

    fn brokers(&self) -> String {
        match &self.brokers {
            Brokers::One(brokers) => brokers.clone(),
            Brokers::Many(brokers) => brokers.join(","),
        }
    }

    /// The topic of the view's rows; `{node}` and `{view}` stand for what they say.
    pub(super) fn topic(&self, node: &str, view: &str) -> String {
        let topic = self.topic.as_deref().unwrap_or("watershed.{view}");
        // Statements and hosts may have names that topics may not.
        let plain =
            |name: &str| name.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'), "_");
        topic.replace("{node}", &plain(node)).replace("{view}", &plain(view))
    }

    /// The topic of its frontiers.
    pub(super) fn frontier_topic(&self, node: &str, view: &str) -> String {
        self.topic(node, view) + FRONTIER
    }

    /// How to reach the brokers.
    pub(super) fn client(&self, identity: &Identity) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers())
            .set("client.id", format!("watershed-{}", identity.node))
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "2000");
        let Some(security) = &self.security else { return config };
        let files = [
            ("ssl.ca.location", &security.ca),
            ("ssl.certificate.location", &security.certificate),
            ("ssl.key.location", &security.key),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                config.set(name, file.to_string_lossy());
            }
        }
        if let Some(Secret(password)) = &security.key_password {
            config.set("ssl.key.password", password);
        }
        let protocol = match (security.is_tls(), security.mechanism.is_some()) {
            (false, false) => "plaintext",
            (false, true) => "sasl_plaintext",
            (true, false) => "ssl",
            (true, true) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let (Some(mechanism), Some(username), Some(Secret(password))) =
            (security.mechanism, &security.username, &security.password)
        {
            config
                .set("sasl.mechanism", mechanism.name())
                .set("sasl.username", username)
                .set("sasl.password", password);
        }
        config
    }

    /// The transactional producer: one a sink and node, so that a later one fences an earlier one.
    pub(super) fn producer(&self, identity: &Identity) -> ClientConfig {
        let mut config = self.client(identity);
        config
            .set("transactional.id", format!("watershed-{}-{}", identity.node, identity.sink))
            .set("acks", "all")
            .set("compression.type", self.compression.name())
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", "65536")
            .set("transaction.timeout.ms", TRANSACTION.as_millis().to_string())
            .set("message.timeout.ms", (TRANSACTION / 2).as_millis().to_string());
        config
    }

    /// The consumer that finds out what the topics hold.
    pub(super) fn consumer(&self, identity: &Identity) -> ClientConfig {
        let mut config = self.client(identity);
        config
            .set("group.id", format!("watershed-{}-{}", identity.node, identity.sink))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true");
        config
    }
}
