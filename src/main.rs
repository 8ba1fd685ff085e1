//! The `watershed` binary: a command line whose `run` serves the product and whose other commands are its clients.

mod alerts;
mod api;
mod cli;
mod client;
mod commands;
mod config;
mod engine;
mod failure;
mod feed;
mod format;
mod rows;
mod run;
mod scripts;
mod signals;
mod sizes;

use std::process::ExitCode;

use clap::Parser as _;

/// A tenth of the time of a tick is allocation with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("watershed: {failure}");
            failure.exit.into()
        }
    }
}
