//! The `watershed` binary: a command line whose `run` serves the product and whose other commands are its clients.

mod alerts;
mod allocator;
mod api;
mod cli;
mod client;
mod cluster;
mod commands;
mod config;
mod detectors;
mod engine;
mod exports;
mod failure;
mod feed;
mod format;
mod kept;
mod leaving;
mod rows;
mod run;
mod scripts;
mod services;
mod signals;
mod sinks;

use std::process::ExitCode;

use clap::Parser as _;
use watershed_model::sizes;

fn main() -> ExitCode {
    abort_on_panic();
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("watershed: {failure}");
            failure.exit.into()
        }
    }
}

/// One panicking worker would hang the others, so a panic ends the process; a model's suspends its detector.
fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !watershed_detectors::detector::guard::is_guarded() {
            std::process::abort();
        }
    }));
}
