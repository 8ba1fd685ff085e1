//! The demo's child processes: the shop and the agent. Each ends when its owner is dropped.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Exit, Failure, Outcome};

/// The shop's services and load, started by `town.py`.
static TOWN: &str = include_str!("../../../demo/town.py");
/// How long a child may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The shop.
#[derive(Debug)]
pub(super) struct Town(Owned);

impl Town {
    /// Starts all services and the load, and waits until they answer.
    pub(super) fn start(folder: &Path, rate: f64) -> Outcome<Self> {
        let script = folder.join("town.py");
        std::fs::write(&script, TOWN).map_err(|error| Failure::failed(format!("{}: {error}", script.display())))?;
        let mut command = Command::new("python3");
        command.arg(&script).arg(folder).args(["--rate", &rate.to_string()]).stdout(Stdio::piped());
        let mut owned = Owned::spawn(command, "python3 (the demo's services; `make setup` installs it)")?;
        let mut ports = String::new();
        let stdout = owned.0.stdout.take().expect("stdout is piped");
        let read = BufReader::new(stdout).read_line(&mut ports);
        if read.is_err() || ports.is_empty() {
            return Err(Failure::failed("the shop did not start; see its message above"));
        }
        Ok(Town(owned))
    }

    /// The process whose children the services are.
    pub(super) fn pid(&self) -> u32 {
        self.0.0.id()
    }
}

/// A `watershed run` of the demo's own.
#[derive(Debug)]
pub(super) struct Agent {
    process: Owned,
    /// Where it listens.
    pub(super) address: String,
}

impl Agent {
    /// Starts it on the usual port, or on a free one where that is taken, and waits until it listens.
    pub(super) fn start(flags: &[&str]) -> Outcome<Self> {
        match Self::start_at("127.0.0.1:7070", flags) {
            Err(failure) if failure.exit == Exit::Failed => Self::start_at("127.0.0.1:0", flags),
            result => result,
        }
    }

    fn start_at(listen: &str, flags: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(own_binary()?);
        command.args(["run", "--listen", listen]).args(flags).stderr(Stdio::piped());
        let mut process = Owned::spawn(command, "watershed run")?;
        let mut stderr = BufReader::new(process.0.stderr.take().expect("stderr is piped"));
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            if !matches!(stderr.read_line(&mut line), Ok(1..)) {
                break;
            }
            if let Some((_, rest)) = line.split_once("listening on ") {
                let address = rest.split_whitespace().next().unwrap_or_default().to_owned();
                // Read to its end, or the agent would one day block on a full pipe.
                std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
                return Ok(Agent { process, address });
            }
            printed.push_str(&line);
        }
        let code = process.0.wait().ok().and_then(|status| status.code());
        let message = printed.trim().to_owned();
        Err(if code == Some(Exit::NotPermitted as i32) {
            Failure::not_permitted(message)
        } else {
            Failure::failed(message)
        })
    }

    /// A command of the CLI against this agent.
    pub(super) fn command(&self, arguments: &[&str]) -> Outcome<Command> {
        let mut command = Command::new(own_binary()?);
        command.args(arguments).env("WATERSHED_SERVER", &self.address);
        Ok(command)
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.0.try_wait().ok().flatten()
    }
}

fn own_binary() -> Outcome<std::path::PathBuf> {
    std::env::current_exe().map_err(|error| Failure::failed(format!("cannot find this program's file: {error}")))
}

/// A child that is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Owned(pub(super) Child);

impl Owned {
    /// Starts a command in a process group of its own, so that Ctrl-C reaches it only through its owner.
    pub(super) fn spawn(mut command: Command, what: &str) -> Outcome<Self> {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
        command.spawn().map(Owned).map_err(|error| Failure::failed(format!("cannot start {what}: {error}")))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // The standard library only kills; `kill` asks first.
        let _ = Command::new("kill").arg(self.0.id().to_string()).stderr(Stdio::null()).status();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
