//! `watershed sink apply|list|drop`.

use std::path::Path;

use clap::{Args, Subcommand};
use watershed_proto::v1;
use watershed_sinks::{Follows, Manifest};

use super::listing::{Listing, Values};
use crate::client::{Sinks, connect_sinks, failure_of, read_script};
use crate::config::Settings;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::signals;

/// Views that are written to Kafka, webhooks, files and others
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  watershed sink apply map.toml && watershed sink list")]
pub(crate) struct Sink {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a sink, or replace the one of that name
    #[command(after_help = "Example:
  watershed sink apply map.toml

  with map.toml
    name = \"map\"
    view = \"service_map\"
    [kafka]
    brokers = \"127.0.0.1:9092\"
    topic = \"watershed.service_map\"")]
    Apply {
        /// The manifest, TOML
        file: String,
    },
    /// All sinks, and how far behind they are
    #[command(after_help = "Example:\n  watershed sink list")]
    List {
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// End a sink and forget it; what it has written stays
    #[command(after_help = "Example:\n  watershed sink drop map")]
    Drop {
        /// The sink
        name: String,
    },
}

impl Sink {
    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        signals::runtime("api", 1)?.block_on(async {
            match self.command {
                Command::Apply { file } => {
                    let request = request_of(&file)?;
                    apply(&mut connect_sinks(settings).await?, request).await
                }
                Command::List { output } => list(&mut connect_sinks(settings).await?, Format::or_default(output)).await,
                Command::Drop { name } => {
                    let request = v1::DropSinkRequest { name: name.clone() };
                    connect_sinks(settings).await?.drop_sink(request).await.map_err(|status| failure_of(&status))?;
                    eprintln!("dropped sink {name}");
                    Ok(())
                }
            }
        })
    }
}

/// The manifest, checked, with the text of its script where that is a file beside it.
fn request_of(file: &str) -> Outcome<v1::ApplySinkRequest> {
    let manifest = std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{file}: {error}")))?;
    let parsed = Manifest::parse(&manifest, file).map_err(Failure::usage)?;
    let script = match &parsed.follows {
        Follows::Script(script) => {
            let path = Path::new(file).parent().unwrap_or(Path::new(".")).join(script);
            if path.is_file() { Some(read_script(&path.to_string_lossy())?) } else { None }
        }
        Follows::View(_) | Follows::Table(_) => None,
    };
    Ok(v1::ApplySinkRequest { manifest, origin: file.to_owned(), script })
}

async fn apply(sinks: &mut Sinks, request: v1::ApplySinkRequest) -> Outcome {
    let response = sinks.apply_sink(request).await.map_err(|status| failure_of(&status))?.into_inner();
    let sink = response.sink.unwrap_or_default();
    eprintln!("{} sink {}", if response.replaced { "replaced" } else { "applied" }, sink.name);
    if sink.phase != "running" {
        let reason = if sink.reason.is_empty() { "the first rows have not come yet" } else { &sink.reason };
        eprintln!("it is {} and goes on trying: {reason}", sink.phase);
    }
    Ok(())
}

async fn list(sinks: &mut Sinks, format: Format) -> Outcome {
    let response = sinks.list_sinks(v1::ListSinksRequest {}).await.map_err(|status| failure_of(&status))?;
    let titles = [
        "name", "kind", "view", "phase", "frontier", "lag", "written", "retried", "dropped", "restarts", "waiting",
        "reason",
    ];
    let mut listing = Listing::new("sinks", &titles);
    for sink in response.into_inner().sinks {
        listing.push([
            Values::text(sink.name),
            Values::text(sink.kind),
            Values::text(sink.view),
            Values::text(sink.phase),
            Values::Time((sink.frontier as i64).saturating_mul(1_000_000)),
            Values::Duration(sink.lag_ns as i64),
            Values::Number(sink.written as i64),
            Values::Number(sink.retried as i64),
            Values::Number(sink.dropped as i64),
            Values::Number(sink.restarts as i64),
            Values::Bytes(sink.waiting_bytes as i64),
            Values::text(sink.reason),
        ]);
    }
    super::print(&listing.answer(), format)
}
