//! Services that a test breaks on command, with steady load on them: `servers/faulty.py`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::processes::Owned;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/faulty.py");

/// They end when it is dropped.
#[derive(Debug)]
pub struct Faulty {
    process: Owned,
}

impl Faulty {
    /// Starts one service, `shop0`, with so many requests a second on each of its endpoints.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(rate: u32) -> Result<Self> {
        let mut command = Command::new("python3");
        command.args([SCRIPT, "--rate", &rate.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Owned::spawn(&mut command)?;
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
        anyhow::ensure!(line.contains("shop0"), "faulty.py ended before it ran");
        Ok(Self { process })
    }

    /// Breaks the service in a way, or heals it with severity 0.
    ///
    /// # Errors
    /// When it is gone.
    pub fn set(&mut self, kind: &str, severity: f64) -> Result<()> {
        let stdin = self.process.0.stdin.as_mut().context("stdin is piped")?;
        Ok(writeln!(stdin, "0 {kind} {severity}")?)
    }

    /// Process id of the parent of all.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
