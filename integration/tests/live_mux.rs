//! Needs root and Finagle's jars, which `tools/servers.sh` fetches: what two real peers say in Mux is seen by both ends.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use watershed_integration::agent::Agent;
use watershed_integration::oracle::servers::fetched;
use watershed_integration::processes::Owned;
use watershed_integration::{machine, processes};

const REQUESTS: i64 = 100;
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/oracle/mux/MuxPeer.java");

/// The jars as one path of classes.
fn jars(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).context("the jars of Finagle")?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path().to_string_lossy().into_owned())).collect())
}

#[test]
fn calls_between_real_peers_are_seen_by_both_ends_as_root() -> Result<()> {
    if !machine::can_trace("live_mux", &["java"]) {
        return Ok(());
    }
    let Ok(jars) = jars(&fetched("mux")) else {
        println!("SKIPPED live_mux: the jars of Finagle were not fetched");
        return Ok(());
    };
    let compiler = jars.iter().find(|jar| jar.contains("/ecj-")).context("the compiler among the jars")?;
    let folder = tempfile::tempdir()?;
    let classes = folder.path().to_string_lossy().into_owned();
    let path = [&jars.join(":"), &classes].map(String::as_str).join(":");
    let compile = ["-jar", compiler, "-17", "-nowarn", "-cp", &path, "-d", &classes, SOURCE];
    processes::output(Command::new("java").args(compile))?;
    let port = machine::free_port();
    let mut peer = Owned::spawn(
        Command::new("java")
            .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", &path, "MuxPeer", &port.to_string()])
            .arg(REQUESTS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    )?;
    processes::wait_for_port(port)?;
    let agent = Agent::on_process(peer.pid(), &[])?;
    peer.0.stdin.take().unwrap().write_all(b"\n")?;
    let mut said = String::new();
    peer.0.stdout.take().unwrap().read_to_string(&mut said)?;
    assert_eq!(said.trim(), format!("answered {}", REQUESTS - REQUESTS / 10));

    let of = |role: i64, more: &str| {
        format!("SELECT count(*) FROM mux_events WHERE req_type = 2 AND trace_role = {role} {more}")
    };
    assert_eq!(agent.settled_at(&of(2, ""), REQUESTS)?, REQUESTS);
    for role in [1, 2] {
        assert_eq!(agent.number(&of(role, ""))?, REQUESTS, "dispatches, role {role}");
        assert_eq!(agent.number(&of(role, "AND failed"))?, REQUESTS / 10, "of role {role}");
        let large = of(role, "AND req_bytes > 200000 AND resp_bytes > 200000");
        assert_eq!(agent.number(&large)?, REQUESTS / 10, "of role {role}");
        assert_eq!(agent.number(&of(role, "AND partial"))?, 0, "of role {role}");
    }
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
