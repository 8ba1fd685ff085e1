//! The command line: what every command shares, and who carries it out.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::config::{Flags, Settings};
use crate::failure::Outcome;

/// Shows what every service on this machine is doing, without touching the services.
#[derive(Debug, Parser)]
#[command(name = "watershed", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
struct Global {
    /// Settings as TOML; flags and WATERSHED_* variables go before it
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Server that clients talk to [env: WATERSHED_SERVER] [default: 127.0.0.1:7070]
    #[arg(long, global = true, value_name = "HOST:PORT", help_heading = "Global options")]
    server: Option<String>,
    /// Token that the server asks for [env: WATERSHED_TOKEN]
    #[arg(long, global = true, value_name = "TOKEN", help_heading = "Global options")]
    token: Option<String>,
    /// File that holds the token [env: WATERSHED_TOKEN_FILE]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    token_file: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole product on this machine
    Run(Box<commands::run::Run>),
    /// Run a script once
    Query(commands::query::Query),
    /// Keep a script or view answered
    Subscribe(commands::subscribe::Subscribe),
    /// Named continuous views
    View(commands::view::View),
    /// Bundled and own scripts
    Script(commands::script::Script),
    /// Views that are written to Kafka, webhooks, files and others
    Sink(commands::sink::Sink),
    /// Tables and what they hold
    Table(commands::table::Table),
    /// Write raw events to a recording
    Record(commands::record::Record),
    /// Detectors that flag what is not normal
    Detector(commands::detector::Detector),
    /// What works on this machine, and what not
    Doctor(commands::doctor::Doctor),
    /// Small real services on this machine, load on them, and their live map
    Demo(commands::demo::Demo),
    /// Effective settings and where they come from
    Config(commands::config::Config),
    /// Completion script of a shell
    Completion(commands::completion::Completion),
}

impl Cli {
    /// Carries the command out.
    pub(crate) fn run(self) -> Outcome {
        let mut flags = self.global.flags();
        let file = self.global.config.or_else(|| std::env::var_os("WATERSHED_CONFIG").map(PathBuf::from));
        match &self.command {
            Command::Run(run) => flags.append(&mut run.flags()),
            Command::Record(record) => flags.append(&mut record.flags()),
            Command::Detector(detector) => flags.append(&mut detector.flags()),
            Command::Config(config) => flags.append(&mut config.flags()),
            _ => (),
        }
        let environment = |name: &str| std::env::var(name).ok();
        let settings = Settings::load(&flags, &environment, file.as_deref())?;
        match self.command {
            Command::Run(_) => commands::run::run(&settings),
            Command::Query(query) => query.run(&settings),
            Command::Subscribe(subscribe) => subscribe.run(&settings),
            Command::View(view) => view.run(&settings),
            Command::Script(script) => script.run(&settings),
            Command::Sink(sink) => sink.run(&settings),
            Command::Table(table) => table.run(&settings),
            Command::Record(record) => record.run(&settings),
            Command::Detector(detector) => detector.run(&settings),
            Command::Doctor(doctor) => doctor.run(),
            Command::Demo(demo) => demo.run(),
            Command::Config(config) => config.run(&settings),
            Command::Completion(completion) => completion.run(),
        }
    }
}

impl Global {
    fn flags(&self) -> Flags {
        let mut flags = Flags::new();
        given(&mut flags, "server", self.server.as_ref());
        given(&mut flags, "token", self.token.as_ref());
        given(&mut flags, "token_file", self.token_file.as_ref());
        flags
    }
}

/// Notes a flag's value if the flag was used.
pub(crate) fn given<T: ToString>(flags: &mut Flags, name: &'static str, value: Option<&T>) {
    if let Some(value) = value {
        flags.insert(name, vec![value.to_string()]);
    }
}
