//! `watershed detector apply|list|show|drop|backtest|export-features`.

mod backtest;
mod export;
mod show;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use watershed_detectors::Manifest;
use watershed_proto::v1;

use super::listing::{Listing, Values};
use crate::cli::given;
use crate::client::{Detectors, connect_detectors, failure_of};
use crate::config::{Flags, Settings};
use crate::detectors::Applied;
use crate::failure::{Failure, Outcome};
use crate::format::Format;
use crate::signals;

/// Detectors that flag what is not normal; their flags are the view `anomalies`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  watershed detector apply slow.toml && watershed subscribe anomalies")]
pub(crate) struct Detector {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply a manifest: a detector of that name goes on with it and keeps what it learned
    #[command(after_help = "Example:\n  watershed detector apply slow.toml")]
    Apply {
        /// The manifest (TOML); files that it names lie beside it
        file: String,
    },
    /// All detectors with their flags and costs
    #[command(after_help = "Example:\n  watershed detector list")]
    List {
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// A detector's version, state, scores, costs, errors and manifest
    #[command(after_help = "Example:\n  watershed detector show error-rate")]
    Show {
        /// The detector
        name: String,
        /// Format of the output [default: text]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// Drop a detector; its flags go
    #[command(after_help = "Example:\n  watershed detector drop slow-endpoints")]
    Drop {
        /// The detector
        name: String,
    },
    /// What a manifest would have flagged of a recording
    #[command(after_help = "Example:\n  watershed detector backtest slow.toml --source recording:trouble.rec")]
    Backtest {
        /// The manifest (TOML)
        file: String,
        /// The recording: recording:FILE
        #[arg(long)]
        source: String,
        /// Format of the output [default: table on a terminal, else jsonl]
        #[arg(short, long)]
        output: Option<Format>,
    },
    /// Write the features that a model would see as Parquet, for training
    #[command(after_help = "Example:
  watershed detector export-features slow.toml features.parquet --for 1h
  watershed detector export-features slow.toml features.parquet --source recording:quiet.rec")]
    ExportFeatures {
        /// The manifest (TOML)
        file: String,
        /// The Parquet file to write: time_, subject, and a column for each feature
        to: PathBuf,
        /// A recording (recording:FILE) instead of the server
        #[arg(long)]
        source: Option<String>,
        /// End after this time, such as 10s, 5m or 1h30m, instead of at Ctrl-C
        #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
        duration: Option<Duration>,
    },
}

impl Detector {
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::new();
        match &self.command {
            Command::Backtest { source, .. } => given(&mut flags, "source", Some(source)),
            Command::ExportFeatures { source, .. } => given(&mut flags, "source", source.as_ref()),
            Command::Apply { .. } | Command::List { .. } | Command::Show { .. } | Command::Drop { .. } => {}
        }
        flags
    }

    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        signals::runtime("api", 1)?.block_on(async {
            match self.command {
                Command::Apply { file } => {
                    let request = read(&file, Needed::All)?;
                    apply(&mut connect_detectors(settings).await?, request).await
                }
                Command::List { output } => {
                    list(&mut connect_detectors(settings).await?, Format::or_default(output)).await
                }
                Command::Show { name, output } => {
                    show::show(&mut connect_detectors(settings).await?, name, output).await
                }
                Command::Backtest { file, output, .. } => {
                    backtest::backtest(settings, read(&file, Needed::All)?, Format::or_default(output)).await
                }
                Command::ExportFeatures { file, to, duration, .. } => {
                    export::export(settings, read(&file, Needed::AllButModel)?, &to, duration).await
                }
                Command::Drop { name } => {
                    let request = v1::DropDetectorRequest { name: name.clone() };
                    let mut detectors = connect_detectors(settings).await?;
                    detectors.drop(request).await.map_err(|status| refusal(&status))?;
                    eprintln!("dropped detector {name}");
                    Ok(())
                }
            }
        })
    }
}

/// Which files beside the manifest are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    All,
    /// Features are exported so that a model can be trained: there is none yet.
    AllButModel,
}

/// A manifest with the files that it names.
fn read(file: &str, needed: Needed) -> Outcome<v1::ApplyDetectorRequest> {
    let wrong = |path: &Path, error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let path = Path::new(file);
    let manifest = std::fs::read_to_string(path).map_err(|error| wrong(path, error))?;
    let parsed = Manifest::parse(&manifest, file).map_err(Failure::usage)?;
    let named = |name: &str, what: &str| -> Outcome<(PathBuf, Vec<u8>)> {
        let path = path.with_file_name("").join(name);
        let read = std::fs::read(&path);
        let read = read.map_err(|error| Failure::usage(format!("{file}: {what} {}: {error}", path.display())))?;
        Ok((std::path::absolute(&path).unwrap_or(path), read))
    };
    let script = match &parsed.script {
        Some(script) => {
            let (path, bytes) = named(script, "the script")?;
            String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{file}: {} is no text", path.display())))?
        }
        None => String::new(),
    };
    let (model_path, model) = match parsed.model.file() {
        Some(model) if needed == Needed::All => named(model, "the model")?,
        Some(_) | None => Default::default(),
    };
    let (origin, model_path) = (file.to_owned(), model_path.to_string_lossy().into_owned());
    Ok(v1::ApplyDetectorRequest { manifest, origin, script, model, model_path })
}

/// The request as the server keeps it.
fn applied(request: v1::ApplyDetectorRequest) -> Applied {
    let v1::ApplyDetectorRequest { manifest, origin, script, model, model_path } = request;
    Applied { manifest, origin, script, model, model_path, version: 1 }
}

async fn apply(detectors: &mut Detectors, request: v1::ApplyDetectorRequest) -> Outcome {
    let name = Manifest::parse(&request.manifest, &request.origin).map_err(Failure::usage)?.name;
    let response = detectors.apply(request).await.map_err(|status| refusal(&status))?.into_inner();
    let done = if response.redefined { "redefined" } else { "applied" };
    eprintln!("{done} detector {name}, version {}", response.version);
    Ok(())
}

async fn list(detectors: &mut Detectors, format: Format) -> Outcome {
    let response = detectors.list(v1::ListDetectorsRequest {}).await.map_err(|status| refusal(&status))?;
    let titles = ["name", "bundled", "kind", "source", "state", "version", "subjects", "flags", "batches", "bytes"];
    let mut listing = Listing::new("detectors", &titles);
    for detector in response.into_inner().detectors {
        let state = show::state_of(&detector);
        listing.push([
            Values::text(detector.name),
            Values::text(if detector.bundled { "yes" } else { "no" }),
            Values::text(detector.kind),
            Values::text(detector.source),
            Values::text(state),
            Values::Number(detector.version as i64),
            Values::Number(detector.subjects as i64),
            Values::Number(detector.flags as i64),
            Values::Number(detector.batches as i64),
            Values::Bytes(detector.bytes as i64),
        ]);
    }
    super::print(&listing.answer(), format)
}

/// A refusal without the name of the request's field, which users never wrote.
fn refusal(status: &tonic::Status) -> Failure {
    let mut failure = failure_of(status);
    if let Some(message) = failure.message.strip_prefix("manifest: ") {
        failure.message = message.to_owned();
    }
    failure
}
