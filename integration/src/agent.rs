//! The built binary, driven by its command line as a user drives it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::network::command_in;
use crate::processes::{self, Owned};

/// The binary that `cargo build` put beside the tests, or the one named by `WATERSHED_BIN`.
///
/// # Panics
/// When there is none: the tests are about it.
#[must_use]
pub fn binary() -> PathBuf {
    if let Ok(path) = std::env::var("WATERSHED_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(std::path::Path::parent).expect("tests lie in target/<profile>/deps");
    let binary = folder.join("watershed");
    assert!(binary.exists(), "{} is missing: run `cargo build --bin watershed` first", binary.display());
    binary
}

/// A running `watershed run`.
#[derive(Debug)]
pub struct Agent {
    process: Owned,
    namespace: Option<String>,
    address: String,
}

impl Agent {
    /// Starts `watershed run` with these flags on a free port and waits until it listens.
    ///
    /// # Errors
    /// When it ends before; the error holds what it printed.
    pub fn start(flags: &[&str]) -> Result<Self> {
        Self::start_in(None, flags)
    }

    /// The same in a network namespace, as `ip netns` knows it: it listens there and commands are given there.
    ///
    /// # Errors
    /// As [`Agent::start`].
    pub fn start_in(namespace: Option<&str>, flags: &[&str]) -> Result<Self> {
        let mut command = command_in(namespace, &binary());
        command.args(["run", "--listen", "127.0.0.1:0"]).args(flags).stderr(Stdio::piped());
        let mut process = Owned::spawn(&mut command)?;
        let stderr = process.0.stderr.take().context("stderr is piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut printed = String::new();
        for line in &mut lines {
            let line = line?;
            if let Some((_, rest)) = line.split_once("listening on ") {
                let address = rest.split_whitespace().next().unwrap_or_default().to_owned();
                // The rest is read to its end, or the agent would block on a full pipe.
                std::thread::spawn(move || lines.for_each(|line| eprintln!("agent: {}", line.unwrap_or_default())));
                return Ok(Agent { process, namespace: namespace.map(str::to_owned), address });
            }
            printed += &line;
            printed.push('\n');
        }
        bail!("watershed run {flags:?} ended: {printed}");
    }

    /// Starts it on the kernel, scoped to one process and its children.
    ///
    /// # Errors
    /// As [`Agent::start`].
    pub fn on_process(pid: u32, flags: &[&str]) -> Result<Self> {
        let scope = format!("pid:{pid}+children");
        Self::start(&[&["--scope", &scope, "--data-budget", "1GiB"], flags].concat())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A command of the CLI against this agent.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command_in(self.namespace.as_deref(), &binary());
        command.args(arguments).env("WATERSHED_SERVER", &self.address);
        command
    }

    /// Rows of a SQL text, run once.
    ///
    /// # Errors
    /// When the query fails.
    pub fn query(&self, sql: &str) -> Result<Vec<Value>> {
        let text = processes::output(&mut self.command(&["query", "-o", "jsonl", "-s", sql]))?;
        text.lines().map(|line| serde_json::from_str(line).context("a line of jsonl")).collect()
    }

    /// The only value of a query that makes one row of one integer.
    ///
    /// # Errors
    /// When it does not.
    pub fn number(&self, sql: &str) -> Result<i64> {
        let rows = self.query(sql)?;
        let [row] = rows.as_slice() else { bail!("{sql}: {} rows instead of one", rows.len()) };
        let value = row.as_object().and_then(|row| row.values().next()).context("a row with a column")?;
        integer(value).with_context(|| format!("{sql}: {value} is no integer"))
    }

    /// Waits until a number has stood still for a second, and returns it: what was under way has arrived.
    ///
    /// # Errors
    /// When a query fails, or it still moves after a minute.
    pub fn settled(&self, sql: &str) -> Result<i64> {
        let mut last = self.number(sql)?;
        for _ in 0..60 {
            std::thread::sleep(std::time::Duration::from_secs(1));
            let next = self.number(sql)?;
            if next == last {
                return Ok(next);
            }
            last = next;
        }
        bail!("{sql}: still moves after a minute")
    }

    /// The same, of a number that grows to about `expected`: an agent on a busy machine may pause for longer than a second.
    /// Whether it got there is for the caller to judge.
    ///
    /// # Errors
    /// As [`Agent::settled`].
    pub fn settled_at(&self, sql: &str, expected: i64) -> Result<i64> {
        let _ = processes::wait_at_most(20, sql, || self.number(sql).is_ok_and(|number| number >= expected));
        self.settled(sql)
    }

    /// Resident memory of the agent, KiB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn resident_kib(&self) -> Result<i64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("a line with VmRSS")?;
        line.split_whitespace().nth(1).context("a number")?.parse().context("a number of KiB")
    }

    /// Processor time that it has used, user's and kernel's, in hundredths of a second.
    ///
    /// # Errors
    /// When it is gone.
    pub fn processor_hundredths(&self) -> Result<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        // The name in parentheses may hold anything.
        let (_, fields) = stat.rsplit_once(") ").context("a name in parentheses")?;
        let times = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        times.sum::<Result<u64, _>>().context("two numbers")
    }

    /// Process id of the agent.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills it, as a machine that fails does.
    pub fn kill(mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
    }

    /// Ends it as a user does; the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.process.stop()
    }
}

/// An integer as the CLI prints it: a number, or a string beyond 2^53.
#[must_use]
pub fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

/// Result of a command that is expected to fail: exit code and standard error.
///
/// # Errors
/// When it cannot be started.
pub fn failure(command: &mut Command) -> Result<(Option<i32>, String)> {
    let result = command.output().with_context(|| format!("running {command:?}"))?;
    Ok((result.status.code(), String::from_utf8_lossy(&result.stderr).into_owned()))
}
