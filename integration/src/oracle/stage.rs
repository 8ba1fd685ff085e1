//! One protocol before its judge: server, agent and capture in a namespace, then the conversation, then the verdict.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::capture::Capture;
use super::{Said, compare, number};
use crate::agent::Agent;
use crate::machine;
use crate::namespace::{self, Namespace};
use crate::processes::{self, Owned};

/// Names a folder where brief conversations are to be saved, as fixtures of the parsers.
const SAVE: &str = "WATERSHED_SAVE_CONVERSATIONS";

/// Servers, agents and captures of several cases would keep each other from the processor.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A protocol and how it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Also the name of its script and fixture.
    pub name: &'static str,
    /// Its table.
    pub table: &'static str,
    /// The server's port.
    pub port: u16,
    /// Commands that have to be installed.
    pub commands: &'static [&'static str],
    /// Modules of the client's Python.
    pub modules: &'static [&'static str],
    /// What the capture says.
    pub expected: fn(&Capture) -> Result<Vec<Said>>,
    /// What a row says.
    pub found: fn(&Value) -> Said,
}

/// Where a case runs.
#[derive(Debug)]
pub struct Stage {
    /// The case's namespace.
    pub namespace: Namespace,
    /// Its folder.
    pub folder: TempDir,
}

impl Stage {
    /// A command in the namespace whose output goes to a file of the folder, named after the program.
    ///
    /// # Errors
    /// When the program is missing.
    pub fn command(&self, program: &str) -> Result<Command> {
        let path = machine::find(program).with_context(|| format!("{program} is not installed"))?;
        let mut command = self.namespace.command(&path);
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("server.log"))?;
        command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null()).current_dir(self.folder.path());
        Ok(command)
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }
}

/// The Python that has the client libraries.
#[must_use]
pub fn python() -> PathBuf {
    cache().join("venv/bin/python")
}

/// Where downloads of the tests are kept.
#[must_use]
pub fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var("HOME").unwrap_or_default()).join(".cache/watershed");
    std::env::var("WATERSHED_CACHE").map_or_else(|_| home(), PathBuf::from)
}

/// Whether this machine can run the case; prints why not.
#[must_use]
pub fn can_judge(case: &Case) -> bool {
    if !machine::can_trace(case.name, &["ip", "tshark", "dumpcap"]) || !machine::has_commands(case.name, case.commands)
    {
        return false;
    }
    let has = |module: &&str| {
        let mut command = Command::new(python());
        command.args(["-c", &format!("import {module}")]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let missing = case.modules.iter().find(|module| !has(module));
    if let Some(module) = missing {
        println!("SKIPPED {}: Python module {module} is not installed", case.name);
    }
    missing.is_none()
}

/// Runs a case with the server that `start` starts. Rows of the client's and of the server's side are judged each.
///
/// # Errors
/// When something does not run, or a verdict does not hold.
pub fn judge(case: &Case, start: impl FnOnce(&Stage) -> Result<Owned>) -> Result<()> {
    if !can_judge(case) {
        return Ok(());
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let stage = Stage { namespace: Namespace::new(case.name)?, folder: tempfile::tempdir()? };
    let server = start(&stage)?;
    let ready = namespace::wait_for_listener(server.pid(), case.port);
    ready.with_context(|| std::fs::read_to_string(stage.path("server.log")).unwrap_or_default())?;
    let agent = Agent::start(&["--scope", &stage.namespace.scope(), "--data-budget", "1GiB"])?;
    let file = stage.folder.path().join("conversation.pcapng");
    let mut traffic = stage.namespace.capture(&file)?;
    converse(case, &stage)?;
    let count = format!("SELECT count(*) FROM {}", case.table);
    processes::wait_until("the first row", || agent.number(&count).is_ok_and(|count| count > 0))?;
    // The capture has time for its last packets, too.
    agent.settled(&count)?;
    traffic.stop();
    let capture = Capture::new(&file, case.port);
    let expected = (case.expected)(&capture)?;
    // A row of each side.
    agent.settled_at(&count, 2 * expected.len() as i64)?;
    if let Ok(folder) = std::env::var(SAVE) {
        capture.save(&Path::new(&folder).join(format!("{}.txt", case.name)))?;
    }
    let rows = agent.query(&format!("SELECT * FROM {} ORDER BY time_", case.table))?;
    let losses = agent.query("SELECT source, reason, count FROM system.losses")?;
    assert_eq!(agent.stop(), Some(0));
    drop(server);
    let mut holds = true;
    for (role, side) in [(1, "client"), (2, "server")] {
        let port = if role == 1 { "remote_port" } else { "local_port" };
        // Datagrams do not always know the other end; a server may talk to itself on other ports.
        let ours = |row: &&Value| [i64::from(case.port), 0].contains(&number(row, port));
        let rows = rows.iter().filter(|row| number(row, "trace_role") == role).filter(ours);
        let found: Vec<Said> = rows.map(case.found).collect();
        let mut verdict = compare(&expected, &found);
        if role == 1 {
            verdict.excuse(&capture.resets()?);
        }
        println!("{}, {side}: {verdict}", case.name);
        holds &= verdict.holds();
    }
    if !losses.is_empty() {
        println!("{}: losses {losses:?}", case.name);
    }
    if !holds {
        bail!("{}: the rows are not what was said", case.name);
    }
    Ok(())
}

fn converse(case: &Case, stage: &Stage) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("oracle/{}.py", case.name));
    let mut client = stage.namespace.command(Path::new("timeout"));
    let brief = std::env::var(SAVE).map(|_| "brief");
    client
        .arg("60")
        .arg(python())
        .arg("-I")
        .arg(script)
        .arg(case.port.to_string())
        .args(brief)
        .current_dir(stage.folder.path());
    let said = processes::output(&mut client)?;
    print!("{said}");
    Ok(())
}
