//! `watershed doctor`: what this kernel and these privileges allow, and what is lost by what they do not.

use clap::Args;
use watershed_bpf::{Config, Probe, Scope};

use super::listing::{Listing, Values};
use crate::failure::Outcome;
use crate::format::Format;
use crate::run::failure_of_probe;

/// What works on this machine, and what not
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sudo watershed doctor")]
pub(crate) struct Doctor {
    /// Format of the output [default: table on a terminal, else jsonl]
    #[arg(short, long)]
    output: Option<Format>,
}

impl Doctor {
    pub(crate) fn run(self) -> Outcome {
        let mut listing = Listing::new("doctor", &["check", "state", "detail", "mend"]);
        let requirements = watershed_bpf::check();
        for requirement in &requirements {
            let state = if requirement.ok { "ok" } else { "missing" };
            let (name, detail, mend) = (&requirement.name, &requirement.detail, &requirement.mend);
            listing.push([name.to_string(), state.to_owned(), detail.to_string(), mend.to_string()].map(Values::text));
        }
        // Scoped to this process, so loading the probes disturbs nobody.
        let scope = Scope::Pid { pid: std::process::id(), children: false };
        let loaded = Probe::load(&Config { scopes: vec![scope], ..Config::default() });
        if let Ok(probe) = &loaded {
            for status in probe.status() {
                let (state, detail, lost) = match status {
                    status if status.attached => ("attached", String::new(), String::new()),
                    status if status.error.is_empty() => ("not needed", String::new(), String::new()),
                    status => ("not attached", status.error.clone(), format!("lost: {}", status.lost)),
                };
                let name = format!("probe {}", status.name);
                listing.push([name, state.to_owned(), detail, lost].map(Values::text));
            }
        }
        super::print(&listing.answer(), Format::or_default(self.output))?;
        loaded.map(drop).map_err(|error| failure_of_probe(&error))
    }
}
