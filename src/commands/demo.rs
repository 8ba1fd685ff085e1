//! `watershed demo`: a small shop of real services on this machine, load on them, and their live map. Everything is a
//! child of this process, the agent traces the shop and nothing else, and all of it ends with the command.
//!
//! The demo uses the binary as a user would: `watershed run` and `watershed subscribe` are children too.

mod children;
mod screen;
mod view;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use children::{Agent, Town};
use view::LiveView;

use crate::failure::{Exit, Failure, Outcome};
use crate::signals;

/// Raw events of the shop, for machines where eBPF is not permitted.
static RECORDING: &[u8] = include_bytes!("../../demo/town.rec");

/// What the user asked for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watershed demo --for 1m")]
pub(crate) struct Demo {
    /// End after this long instead of at Ctrl-C, such as `30s`
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Requests a second of load
    #[arg(long, default_value_t = 40.0, value_parser = rate)]
    rate: f64,
    /// Replay the recording that comes with the product instead of tracing
    #[arg(long)]
    recorded: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.1..=2_000.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0.1 to 2000".to_owned()),
    }
}

impl Demo {
    /// Runs until Ctrl-C, the end of `--for`, or the end of the agent.
    pub(crate) fn run(&self) -> Outcome {
        show(self)
    }
}

fn show(demo: &Demo) -> Outcome {
    let folder = tempfile::Builder::new()
        .prefix("watershed-demo-")
        .tempdir()
        .map_err(|error| Failure::failed(format!("cannot make a temporary folder: {error}")))?;
    let runtime = signals::runtime("api", 1)?;
    let stop = signals::flag(&runtime);
    let (mut agent, _town, source) = start(demo, folder.path())?;
    let map = LiveView::follow(&agent, "service_map")?;
    let endpoints = LiveView::follow(&agent, "endpoint_latency")?;
    let losses = LiveView::follow(&agent, "losses")?;
    let screen = screen::Screen { source, address: agent.address.clone(), map, endpoints, losses };

    let terminal = std::io::stdout().is_terminal();
    let end = demo.duration.map(|duration| Instant::now() + duration);
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
        if let Some(status) = agent.ended() {
            return Err(Failure::failed(format!("the agent ended ({status}); see its message above")));
        }
        if terminal {
            draw_in_place(&screen.text(true))?;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    if terminal {
        println!();
    } else {
        print!("{}", screen.text(false));
    }
    Ok(())
}

/// The shop and an agent on it; or, where tracing is not permitted, an agent on the recording.
fn start(demo: &Demo, folder: &Path) -> Outcome<(Agent, Option<Town>, String)> {
    if !demo.recorded {
        eprintln!("starting a small shop: gateway (nginx) -> orders -> payments, catalog -> search, and customers");
        let town = Town::start(folder, demo.rate)?;
        let scope = format!("pid:{}+children", town.pid());
        match Agent::start(&["--source", "kernel", "--scope", &scope]) {
            Ok(agent) => {
                let source = "live from the kernel; only the shop's processes are traced".to_owned();
                return Ok((agent, Some(town), source));
            }
            Err(failure) if failure.exit == Exit::NotPermitted => {
                eprintln!("{failure}\nwithout it, the demo replays a recording of the same shop");
            }
            Err(failure) => return Err(failure),
        }
    }
    let file = folder.join("town.rec");
    std::fs::write(&file, RECORDING).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
    let source = format!("recording:{}", file.display());
    let agent = Agent::start(&["--source", &source, "--pace", "recorded"])?;
    Ok((agent, None, "a recording of the shop, replayed; nothing on this machine is traced".to_owned()))
}

fn draw_in_place(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    let lines = text.replace('\n', "\x1b[K\r\n");
    match write!(out, "\x1b[H{lines}\x1b[J").and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) => Failure::of_output(&error).map_or(Ok(()), Err),
    }
}
