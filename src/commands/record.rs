//! `watershed record FILE`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::{Flags, Settings};
use crate::failure::{Failure, Outcome};
use crate::run::{failure_of_ingest, kernel};
use crate::signals;

/// Write raw events of the kernel to a recording, until Ctrl-C or for a time
#[derive(Debug, Args)]
#[command(after_help = "Example:
  sudo watershed record trouble.rec --scope port:8080 --for 30s
  watershed run --source recording:trouble.rec")]
pub(crate) struct Record {
    /// The recording to write
    file: PathBuf,
    /// What to trace: cgroup:PATH, netns:PATH, pid:N[+children], port:N or all; repeatable [default: all]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// End after this time, such as 10s, 5m or 1h30m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Record although `redact` has rules: a recording has everything as it was said
    #[arg(long)]
    raw: bool,
}

impl Record {
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::new();
        if !self.scope.is_empty() {
            flags.insert("scope", self.scope.clone());
        }
        flags
    }

    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        if !settings.redact().is_empty() && !self.raw {
            return Err(Failure::usage(
                "a recording has everything as it was said, and `redact` says to hide some of it; give --raw to record all the same",
            ));
        }
        let runtime = signals::runtime("api", 1)?;
        let stop = signals::flag(&runtime);
        let summary = watershed_ingest::record(&kernel(settings), &self.file, self.duration, &stop)
            .map_err(|error| failure_of_ingest(&error))?;
        let size = std::fs::metadata(&self.file).map_err(|error| Failure::failed(error.to_string()))?.len();
        let size = crate::sizes::human_bytes(size as f64);
        eprintln!("watershed: {} events in {} ({size})", summary.events, self.file.display());
        Ok(())
    }
}
