//! `watershed run`.

use std::os::unix::process::CommandExt as _;

use clap::Args;

use crate::cli::given;
use crate::config::{Flags, Settings};
use crate::failure::Outcome;

/// Run the whole product on this machine: source, views and server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sudo watershed run --scope pid:1234+children
  watershed run --source recording:trouble.rec --pace fast")]
pub(crate) struct Run {
    #[command(flatten)]
    flags: RunFlags,
}

/// Flags of `run`, which `config show` takes as well.
#[derive(Debug, Args)]
pub(crate) struct RunFlags {
    /// Where events come from: kernel or recording:FILE [default: kernel]
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// What to trace: cgroup:PATH, netns:PATH, pid:N[+children], port:N or all; repeatable [default: all]
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// Pace of a recording: recorded or fast [default: recorded]
    #[arg(long)]
    pace: Option<String>,
    /// Address to listen on; one that is not loopback needs a token [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Room for content between the kernel and the agent, a power of two [default: 16MiB]
    #[arg(long, value_name = "BYTES")]
    ring_bytes: Option<String>,
    /// Memory that the tables may use, such as 64MiB [default: 64MiB]
    #[arg(long, value_name = "BYTES")]
    data_budget: Option<String>,
    /// Threads of the dataflow [default: 1]
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Bytes kept of each request's and response's body [default: 1KiB]
    #[arg(long, value_name = "BYTES")]
    capture_bodies: Option<String>,
    /// What is not stored: TABLE.COLUMN of a text, header:NAME, literals of SQL, values of Redis, or builtin, which is authorization, cookies, emails, cards and tokens; repeatable
    #[arg(long, value_name = "RULE")]
    redact: Vec<String>,
    /// What sinks and webhooks do not tell: builtin, one of its parts, or none; repeatable [default: builtin]
    #[arg(long, value_name = "RULE")]
    redact_sinks: Vec<String>,
    /// Name of this node [default: the host's name]
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// The cluster whose names are used: a kubeconfig FILE, in-cluster or none [default: in-cluster in a pod, else none]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<String>,
    /// Number of this agent, unique in a cluster [default: 1]
    #[arg(long, value_name = "N")]
    asid: Option<String>,
    /// Directory that keeps named views over restarts
    #[arg(long, value_name = "DIR")]
    state: Option<String>,
    /// Detectors that are on from the start: bundled or none [default: bundled]
    #[arg(long)]
    detectors: Option<String>,
    /// Folder of own scripts beside the bundled ones: NAME/ with a .pxl or .sql file, manifest.yaml and vis.json
    #[arg(long, value_name = "DIR")]
    scripts: Option<String>,
    /// Address to which alerts are posted as JSON when they are raised and cleared
    #[arg(long, value_name = "URL")]
    alert_webhook: Option<String>,
    /// Directory that file sinks may write in [default: `files` in that of --state]
    #[arg(long, value_name = "DIR")]
    sink_files: Option<String>,
    /// Collector of OpenTelemetry that px.export sends to where a script names none: host:4317 or a URL
    #[arg(long, value_name = "URL")]
    otel_collector: Option<String>,
    /// What is logged to stderr, such as info or watershed_ingest=debug [default: warn]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

impl Run {
    pub(crate) fn flags(&self) -> Flags {
        self.flags.flags()
    }
}

impl RunFlags {
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::new();
        if !self.scope.is_empty() {
            flags.insert("scope", self.scope.clone());
        }
        given(&mut flags, "source", self.source.as_ref());
        given(&mut flags, "pace", self.pace.as_ref());
        given(&mut flags, "listen", self.listen.as_ref());
        given(&mut flags, "ring_bytes", self.ring_bytes.as_ref());
        given(&mut flags, "data_budget", self.data_budget.as_ref());
        given(&mut flags, "workers", self.workers.as_ref());
        given(&mut flags, "capture_bodies", self.capture_bodies.as_ref());
        if !self.redact.is_empty() {
            flags.insert("redact", self.redact.clone());
        }
        if !self.redact_sinks.is_empty() {
            flags.insert("redact_sinks", self.redact_sinks.clone());
        }
        given(&mut flags, "node", self.node.as_ref());
        given(&mut flags, "kubeconfig", self.kubeconfig.as_ref());
        given(&mut flags, "asid", self.asid.as_ref());
        given(&mut flags, "state", self.state.as_ref());
        given(&mut flags, "detectors", self.detectors.as_ref());
        given(&mut flags, "scripts", self.scripts.as_ref());
        given(&mut flags, "alert_webhook", self.alert_webhook.as_ref());
        given(&mut flags, "sink_files", self.sink_files.as_ref());
        given(&mut flags, "otel_collector", self.otel_collector.as_ref());
        given(&mut flags, "log", self.log.as_ref());
        flags
    }
}

pub(crate) fn run(settings: &Settings) -> Outcome {
    choose_allocator_options();
    crate::run::run(settings)
}

/// The allocator reads its options before `main`, so the agent starts itself anew with those that it wants: memory
/// committed as it is used, rather than arenas at a time, is a fifth of what the agent takes, and pages that are looked
/// through ten times as often are used again sooner.
fn choose_allocator_options() {
    const OPTIONS: [(&str, &str); 2] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0"), ("MIMALLOC_GENERIC_COLLECT", "1000")];
    let mut open = OPTIONS.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).peekable();
    if open.peek().is_none() {
        return;
    }
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new("/proc/self/exe");
    again.arg0(arguments.next().unwrap_or_default()).args(arguments).envs(open);
    // It returns only when it fails, and then the agent runs with more memory.
    let _ = again.exec();
}
