//! `watershed completion SHELL`.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::failure::Outcome;

/// Prints a completion script, for example `watershed completion bash > /etc/bash_completion.d/watershed`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  watershed completion bash > ~/.local/share/bash-completion/completions/watershed")]
pub(crate) struct Completion {
    /// The shell that the script is for
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::cli::Cli::command(), "watershed", &mut script);
        super::print_text(&String::from_utf8_lossy(&script))
    }
}
