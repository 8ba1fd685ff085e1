//! A network namespace of a test's own: servers keep their usual ports, and what the agent and a capture see there is
//! the test's conversation and nothing else. Needs root.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::machine;
use crate::processes::{self, Owned};

/// A namespace whose only device is loopback; gone when this is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one; `name` is unique within a run of the tests.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn new(name: &str) -> Result<Self> {
        let name = format!("watershed-{name}-{}", std::process::id());
        processes::output(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Namespace { name };
        processes::output(namespace.command(Path::new("ip")).args(["link", "set", "lo", "up"]))?;
        Ok(namespace)
    }

    /// As `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scope that names it.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("netns:/run/netns/{}", self.name)
    }

    /// A command that runs inside.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Captures loopback into a file until the result is dropped or stopped.
    ///
    /// # Errors
    /// When the capture does not start.
    pub fn capture(&self, file: &Path) -> Result<Owned> {
        let dumpcap = machine::find("dumpcap").context("dumpcap")?;
        let mut command = self.command(&dumpcap);
        command.args(["-q", "-i", "lo", "-B", "16", "-w"]).arg(file);
        let capture = Owned::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        processes::wait_until("the capture's file", || file.metadata().is_ok_and(|data| data.len() > 0))?;
        Ok(capture)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// Waits until a process's namespace has a listener on a port, without connecting to it.
///
/// # Errors
/// When there is none after a minute.
pub fn wait_for_listener(process: u32, port: u16) -> Result<()> {
    let wanted = format!(":{port:04X}");
    let listens = |file: &str| {
        let text = std::fs::read_to_string(format!("/proc/{process}/net/{file}")).unwrap_or_default();
        text.lines().any(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, state) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
            local.ends_with(&wanted) && (state == "0A" || file.starts_with("udp"))
        })
    };
    processes::wait_at_most(60, "a listener", || ["tcp", "tcp6", "udp"].into_iter().any(listens))
}
