//! `watershed config show`.

use clap::{Args, Subcommand};

use super::listing::{Listing, Values};
use super::run::RunFlags;
use crate::config::{Flags, Settings};
use crate::failure::Outcome;
use crate::format::Format;

/// Effective settings and where they come from
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  watershed config show --config /etc/watershed.toml")]
pub(crate) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print each setting's effective value and its origin: flag, environment, file or default
    #[command(after_help = "Example:\n  WATERSHED_DATA_BUDGET=1GiB watershed config show")]
    Show {
        #[command(flatten)]
        flags: Box<RunFlags>,
        /// Format of the output
        #[arg(short, long)]
        output: Option<Format>,
    },
}

impl Config {
    pub(crate) fn flags(&self) -> Flags {
        let Command::Show { flags, .. } = &self.command;
        flags.flags()
    }

    pub(crate) fn run(self, settings: &Settings) -> Outcome {
        let Command::Show { output, .. } = self.command;
        let mut listing = Listing::new("config", &["key", "value", "origin"]);
        for (key, value, origin) in settings.lines() {
            listing.push([Values::text(key), Values::text(value), Values::text(origin)]);
        }
        super::print(&listing.answer(), output.unwrap_or(Format::Table))
    }
}
