//! Needs root: what Go programs say through `crypto/tls` is seen in clear, once, stripped or not, whenever the agent
//! began.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use watershed_integration::agent::{Agent, integer};
use watershed_integration::servers::{self, Logged, Server};
use watershed_integration::{machine, processes};

/// Requests that are made before the agent may begin, and behind it.
const BEFORE: usize = 7;
const AFTER: usize = 200;

/// Flags of the linker.
const WITH_SYMBOLS: &str = "";
const STRIPPED: &str = "-s -w";

fn can_run(test: &str) -> bool {
    machine::can_trace(test, &["go", "openssl", "nginx", "sh"])
}

/// Builds the program of `go_tls.go`.
fn built(folder: &Path, flags: &str) -> Result<PathBuf> {
    let (source, program) = (folder.join("go_tls.go"), folder.join("go_tls"));
    std::fs::write(&source, include_str!("../servers/go_tls.go"))?;
    let mut command = Command::new("go");
    command.args(["build", "-ldflags", flags, "-o"]).arg(&program).arg(&source).env("GO111MODULE", "off");
    processes::output(&mut command)?;
    Ok(program)
}

/// A client that has made its first requests and waits for a word to make the rest.
struct Client {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Client {
    fn start(program: &Path, server: &Server, protocol: &str, before: usize) -> Result<Client> {
        let mut command = Command::new(program);
        Client::spawn(command.args(arguments(server, protocol, before)))
    }

    fn spawn(command: &mut Command) -> Result<Client> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().context("stdout is piped")?);
        Ok(Client { child, output })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        assert_eq!(line, "ready\n");
        Ok(())
    }

    fn say(&mut self, word: &[u8]) -> Result<()> {
        self.child.stdin.as_mut().context("stdin is piped")?.write_all(word)?;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.say(b"go\n")?;
        self.output.read_to_end(&mut Vec::new())?;
        assert!(self.child.wait()?.success());
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arguments(server: &Server, protocol: &str, before: usize) -> [String; 5] {
    let url = format!("https://127.0.0.1:{}", server.port);
    ["ask".into(), url, protocol.into(), before.to_string(), AFTER.to_string()]
}

/// Exchanges in clear, as a server logs them.
fn rows(agent: &Agent, role: i64) -> Result<Vec<Logged>> {
    let of_role = format!("FROM http_events WHERE encrypted AND trace_role = {role}");
    agent.settled_at(&format!("SELECT count(*) {of_role}"), AFTER as i64)?;
    let rows = agent.query(&format!("SELECT req_method, req_path, resp_status, resp_body_size {of_role}"))?;
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let logged = rows.iter().map(|row| {
        Some(Logged {
            method: text(&row["req_method"])?,
            path: text(&row["req_path"])?,
            status: integer(&row["resp_status"])?,
            body_bytes: integer(&row["resp_body_size"])?,
        })
    });
    let mut logged: Vec<_> = logged.collect::<Option<_>>().context("a row as it was asked for")?;
    logged.sort();
    Ok(logged)
}

/// Whether all was seen; what was not is told as lost.
fn check(agent: Agent, server: &Server, role: i64, before: usize) -> Result<bool> {
    // A server logs an answer when it was sent, which may be after its client is gone.
    let is_logged = || server.log().is_ok_and(|log| log.len() >= before + AFTER);
    processes::wait_until("the server's log of all requests", is_logged)?;
    let mut expected = server.log()?.split_off(before);
    expected.sort();
    assert_eq!(expected.len(), AFTER);
    let seen = rows(&agent, role)?;
    let missing: Vec<_> = expected.iter().filter(|line| !seen.contains(line)).collect();
    let wrong: Vec<_> = seen.iter().filter(|line| !expected.contains(line)).collect();
    let losses = agent.query("SELECT * FROM system.losses")?;
    let some = |lines: &[&Logged]| format!("{} {:?}", lines.len(), &lines[..lines.len().min(3)]);
    let differences = format!("missing {}, wrong {}, lost {losses:?}", some(&missing), some(&wrong));
    if !(missing.is_empty() && wrong.is_empty()) {
        assert!(!losses.is_empty(), "{differences}");
        println!("{differences}");
        return Ok(false);
    }
    assert_eq!(seen.len(), AFTER, "each once");
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, AFTER as i64, "an exchange appears once");
    let bodies = "SELECT count(*) FROM http_events WHERE req_method = 'POST' AND req_path LIKE '/taken%' \
                  AND req_body_size = 1000 + cast(split_part(req_path, '=', 2) AS bigint)";
    assert_eq!(agent.number(bodies)?, AFTER as i64 / 5);
    assert_eq!(agent.stop(), Some(0));
    Ok(true)
}

/// A development build on a busy machine may come too late for whole messages, and tells it; one of some attempts is in
/// time.
fn once_in_time(attempt: impl Fn() -> Result<bool>) -> Result<()> {
    for _ in 0..4 {
        if attempt()? {
            return Ok(());
        }
    }
    anyhow::bail!("losses in each attempt")
}

/// The agent begins when the client has connected and asked.
fn of_server(flags: &str, protocol: &str, before: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = built(folder.path(), flags)?;
    once_in_time(|| {
        let server = servers::executable_with(&program, &["serve"])?;
        let mut client = Client::start(&program, &server, protocol, before)?;
        client.wait_until_ready()?;
        let agent = Agent::on_process(server.process.pid(), &[])?;
        client.finish()?;
        check(agent, &server, 2, before)
    })
}

fn of_client(flags: &str, protocol: &str, before: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = built(folder.path(), flags)?;
    once_in_time(|| {
        let server = servers::nginx_tls()?;
        let mut client = Client::start(&program, &server, protocol, before)?;
        client.wait_until_ready()?;
        let agent = Agent::on_process(client.child.id(), &[])?;
        client.finish()?;
        check(agent, &server, 1, before)
    })
}

#[test]
fn a_go_server_is_seen_in_clear_as_root() -> Result<()> {
    if !can_run("go_server") {
        return Ok(());
    }
    of_server(WITH_SYMBOLS, "1", 0)?;
    of_server(STRIPPED, "2", 0)
}

#[test]
fn connections_of_a_go_server_that_are_older_than_the_agent_are_seen_in_clear_as_root() -> Result<()> {
    if !can_run("older_go_server") {
        return Ok(());
    }
    of_server(STRIPPED, "1", BEFORE)?;
    of_server(WITH_SYMBOLS, "2", BEFORE)
}

#[test]
fn a_go_client_is_seen_in_clear_as_root() -> Result<()> {
    if !can_run("go_client") {
        return Ok(());
    }
    of_client(STRIPPED, "1", 0)?;
    of_client(WITH_SYMBOLS, "2", 0)
}

#[test]
fn connections_of_a_go_client_that_are_older_than_the_agent_are_seen_in_clear_as_root() -> Result<()> {
    if !can_run("older_go_client") {
        return Ok(());
    }
    of_client(WITH_SYMBOLS, "1", BEFORE)?;
    of_client(STRIPPED, "2", BEFORE)
}

#[test]
fn a_go_program_that_begins_after_the_agent_is_seen_in_clear_as_root() -> Result<()> {
    if !can_run("later_go_program") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let program = built(folder.path(), STRIPPED)?;
    once_in_time(|| {
        let server = servers::nginx_tls()?;
        // The shell is there when the agent begins; its child is not.
        let mut shell = Command::new("sh");
        shell.args(["-c", "read line; exec \"$@\"", "sh"]).arg(&program).args(arguments(&server, "2", 0));
        let mut client = Client::spawn(&mut shell)?;
        let agent = Agent::on_process(client.child.id(), &[])?;
        client.say(b"begin\n")?;
        client.wait_until_ready()?;
        let attached =
            format!("SELECT count(*) FROM probe_status WHERE status = 0 AND tracepoint = '{}'", program.display());
        processes::wait_until("the probe of the program", || agent.number(&attached).is_ok_and(|count| count == 1))?;
        client.finish()?;
        check(agent, &server, 1, 0)
    })
}
