//! Needs root: whatever load nginx gets, bytes, connections and exchanges are what nginx and the load tool count.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use watershed_integration::agent::Agent;
use watershed_integration::machine;
use watershed_integration::processes::{self, Owned};
use watershed_integration::servers::{self, Server};

const TOOLS: &[&str] = &["nginx", "ab", "wrk", "curl"];

/// What nginx's access log says in sum.
struct Counted {
    answered: i64,
    received: i64,
    sent: i64,
}

fn counted(server: &Server) -> Result<Counted> {
    let lines = server.log_fields()?;
    let sum = |field: usize| lines.iter().filter_map(|line| line[field].parse::<i64>().ok()).sum();
    Ok(Counted { answered: lines.iter().filter(|line| line[5] != "0").count() as i64, received: sum(4), sent: sum(5) })
}

fn ab(server: &Server, path: &str, requests: u32, connections: u32, keep_alive: bool) -> Result<()> {
    let (requests, connections) = (requests.to_string(), connections.to_string());
    let mut command = Command::new("ab");
    command.args(["-q", "-n", &requests, "-c", &connections]);
    if keep_alive {
        command.arg("-k");
    }
    let report = processes::output(command.arg(server.url(path)))?;
    assert!(report.contains("Failed requests:        0"), "{report}");
    Ok(())
}

#[test]
fn bytes_connections_and_exchanges_are_conserved_as_root() -> Result<()> {
    if !machine::can_trace("bytes_connections_and_exchanges", TOOLS) {
        return Ok(());
    }
    for (path, sendfile, requests, connections, keep_alive) in [
        ("/1k.txt", false, 500, 1, false),
        ("/1k.txt", false, 2_000, 1, true),
        // As many short connections a second as the load tool can open, some thousand.
        ("/1k.txt", false, 30_000, 100, false),
        ("/1k.txt", true, 8_000, 200, true),
        ("/100k.txt", false, 1_000, 20, true),
        ("/100k.txt", true, 1_000, 20, true),
    ] {
        let case = format!("{path} sendfile {sendfile} -n {requests} -c {connections} keep-alive {keep_alive}");
        let server = servers::nginx(sendfile)?;
        let before = servers::accepted(&server)?;
        let agent = Agent::on_process(server.process.pid(), &[])?;
        ab(&server, path, requests, connections, keep_alive)?;

        assert_eq!(
            agent.settled_at("SELECT count(*) FROM http_events", i64::from(requests))?,
            i64::from(requests),
            "exchanges: {case}"
        );
        let right = "SELECT count(*) FROM http_events WHERE req_method = 'GET' AND resp_status = 200 AND latency > 0";
        assert_eq!(agent.number(&format!("{right} AND req_path = '{path}'"))?, i64::from(requests), "{case}");
        let log = counted(&server)?;
        agent.settled("SELECT coalesce(sum(sent), 0) FROM conn_stats")?;
        assert_eq!(agent.number("SELECT sum(sent) FROM conn_stats")?, log.sent, "bytes sent: {case}");
        assert_eq!(agent.number("SELECT sum(received) FROM conn_stats")?, log.received, "bytes received: {case}");
        let (opened, closed) = ("SELECT sum(opened) FROM conn_stats", "SELECT sum(closed) FROM conn_stats");
        let (opened, closed) = (agent.number(opened)?, agent.number(closed)?);
        // Also those on which the load tool asked for nothing; the log does not show them.
        let connections = servers::accepted(&server)? - before - 1;
        assert_eq!((opened, closed), (connections, connections), "connections: {case}");
        let losses = agent.query("SELECT * FROM system.losses")?;
        assert!(losses.is_empty(), "{case}: {losses:?}");
        assert_eq!(agent.stop(), Some(0), "{case}");
    }
    Ok(())
}

#[test]
fn a_small_ring_loses_only_what_it_counts_as_root() -> Result<()> {
    if !machine::can_trace("a_small_ring", TOOLS) {
        return Ok(());
    }
    let server = servers::nginx(false)?;
    let agent = Agent::on_process(server.process.pid(), &["--ring-bytes", "64KiB"])?;
    processes::output(Command::new("wrk").args(["-t1", "-c64", "-d3", &server.url("/1k.txt")]))?;
    let seen = agent.settled("SELECT count(*) FROM http_events")?;
    agent.settled("SELECT coalesce(sum(sent), 0) FROM conn_stats")?;
    let log = counted(&server)?;
    assert!(seen <= log.answered, "no exchange is invented: {seen} of {}", log.answered);
    let wrong =
        "SELECT count(*) FROM http_events WHERE req_path <> '/1k.txt' OR resp_status <> 200 OR req_method <> 'GET'";
    assert_eq!(agent.number(wrong)?, 0, "no exchange is misread");
    assert_eq!(agent.number("SELECT sum(sent) FROM conn_stats")?, log.sent, "the kernel counts what the ring lost");
    let lost = agent.number("SELECT coalesce(sum(count), 0) FROM system.losses WHERE reason = 'ring_full'")?;
    assert!(seen == log.answered || lost > 0, "{} exchanges are missing without a word", log.answered - seen);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn an_agent_started_in_the_middle_sees_the_rest_as_root() -> Result<()> {
    if !machine::can_trace("an_agent_started_in_the_middle", TOOLS) {
        return Ok(());
    }
    let server = servers::nginx(false)?;
    let mut load = Owned::spawn(Command::new("wrk").args(["-t1", "-c20", "-d120", &server.url("/1k.txt")]))?;
    std::thread::sleep(Duration::from_secs(1));
    for kill in [true, false] {
        let before = server.log()?.len() as i64;
        let agent = Agent::on_process(server.process.pid(), &[])?;
        processes::wait_until("exchanges on connections older than the agent", || {
            agent.number("SELECT count(*) FROM http_events").is_ok_and(|count| count > 1_000)
        })?;
        let wrong = "SELECT count(*) FROM http_events WHERE req_path <> '/1k.txt' OR resp_status <> 200";
        assert_eq!(agent.number(wrong)?, 0);
        let seen = agent.number("SELECT count(*) FROM http_events")?;
        assert!(seen <= server.log()?.len() as i64 - before + 20, "no exchange is invented");
        if kill {
            processes::signal(agent.pid(), "KILL");
        } else {
            assert_eq!(agent.stop(), Some(0));
        }
    }
    assert!(load.0.try_wait()?.is_none(), "the load was there all the time");
    Ok(())
}

#[test]
fn short_connections_and_garbage_are_survived_as_root() -> Result<()> {
    if !machine::can_trace("short_connections_and_garbage", &["python3"]) {
        return Ok(());
    }
    let python = machine::find("python3").unwrap();
    let server = servers::program(std::slice::from_ref(&python), "garbage.py", include_str!("../servers/garbage.py"))?;
    let agent = Agent::on_process(server.process.pid(), &[])?;
    let port = server.port.to_string();
    processes::output(Command::new(python).arg("-c").arg(include_str!("../servers/garbage_client.py")).arg(port))?;
    agent.settled("SELECT coalesce(sum(closed), 0) FROM conn_stats")?;
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, 0, "garbage is no exchange");
    assert_eq!(agent.number("SELECT sum(opened) FROM conn_stats")?, 3_000);
    assert_eq!(agent.number("SELECT sum(closed) FROM conn_stats")?, 3_000);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
