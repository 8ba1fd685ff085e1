//! A Redis of the test's own on a free loopback port, and its ordinary client.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::machine;
use crate::processes::{self, Owned};

/// A server, ended when it is dropped.
#[derive(Debug)]
pub struct Redis {
    process: Owned,
    port: u16,
    _folder: TempDir,
}

impl Redis {
    /// What has to be installed for it.
    pub const PROGRAMS: [&str; 2] = ["redis-server", "redis-cli"];

    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> Result<Self> {
        let (port, folder) = (machine::free_port(), tempfile::tempdir()?);
        let process = Owned::spawn(
            Command::new(machine::find("redis-server").context("there is no redis-server")?)
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
                .current_dir(folder.path())
                .stdout(Stdio::null()),
        )?;
        processes::wait_for_port(port)?;
        Ok(Redis { process, port, _folder: folder })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the client prints for a command.
    ///
    /// # Errors
    /// When the client fails.
    pub fn ask(&self, arguments: &[&str]) -> Result<String> {
        let client = machine::find("redis-cli").context("there is no redis-cli")?;
        processes::output(Command::new(client).args(["-p", &self.port.to_string()]).args(arguments))
    }
}
