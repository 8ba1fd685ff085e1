//! Needs root: what is said through TLS is seen in clear, once, and marked as encrypted.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use anyhow::Result;
use watershed_integration::agent::Agent;
use watershed_integration::{machine, processes, servers};

const REQUESTS: i64 = 20;

#[test]
fn requests_through_tls_are_seen_in_clear_as_root() -> Result<()> {
    if !machine::can_trace("requests_through_tls", &["python3", "openssl", "curl"]) {
        return Ok(());
    }
    let python = machine::find("python3").unwrap();
    let server = servers::program(&[python], "tls_server.py", include_str!("../servers/tls_server.py"))?;
    let agent = Agent::on_process(server.process.pid(), &[])?;
    let url = format!("https://127.0.0.1:{}/secret?n=[1-{REQUESTS}]", server.port);
    processes::output(Command::new("curl").args(["-sSk", "--max-time", "30", "-o", "/dev/null", &url]))?;

    let rows = "SELECT count(*) FROM http_events WHERE encrypted AND resp_status = 200 AND trace_role = 2";
    assert_eq!(agent.settled(&format!("{rows} AND req_path LIKE '/secret?n=%'"))?, REQUESTS);
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, REQUESTS, "an exchange appears once");
    assert_eq!(agent.number("SELECT count(DISTINCT req_path) FROM http_events")?, REQUESTS);
    agent.settled("SELECT coalesce(sum(closed), 0) FROM conn_stats")?;
    assert_eq!(agent.number("SELECT count(*) FROM conn_stats WHERE ssl AND protocol = 1 AND sent > 0")?.min(1), 1);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
