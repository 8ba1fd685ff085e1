//! What is not to be stored is in no table, of a recording that has it.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use anyhow::Result;
use watershed_integration::agent::{Agent, failure};

fn agent(rules: &[&str]) -> Result<Agent> {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let source = format!("recording:{}", recording.display());
    let rules = rules.iter().flat_map(|rule| ["--redact", rule]);
    let flags: Vec<&str> = ["--source", &source, "--pace", "fast"].into_iter().chain(rules).collect();
    let agent = Agent::start(&flags)?;
    agent.settled("SELECT count(*) FROM http_events")?;
    Ok(agent)
}

#[test]
fn rules_hide_columns_and_headers() -> Result<()> {
    let hosts = "SELECT count(*) FROM http_events WHERE req_headers LIKE '%\"Host\":\"%' AND req_headers NOT LIKE '%<redacted>%'";
    let paths = "SELECT count(*) FROM http_events WHERE req_path <> '<redacted>'";
    let open = agent(&[])?;
    assert!(open.number(hosts)? > 0 && open.number(paths)? > 0);
    let all = open.number("SELECT count(*) FROM http_events")?;
    assert_eq!(open.stop(), Some(0));
    let closed = agent(&["header:host", "http_events.req_path"])?;
    assert_eq!((closed.number(hosts)?, closed.number(paths)?), (0, 0));
    assert_eq!(closed.number("SELECT count(*) FROM http_events")?, all);
    assert_eq!(closed.stop(), Some(0));
    Ok(())
}

#[test]
fn a_wrong_rule_gets_one_line() -> Result<()> {
    let binary = watershed_integration::agent::binary();
    let mut command = std::process::Command::new(binary);
    let (code, stderr) = failure(command.args(["run", "--redact", "http_events.latency"]))?;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("write TABLE.COLUMN of a text column, header:NAME or literals"), "{stderr}");
    assert_eq!(stderr.trim().lines().count(), 1, "one line: {stderr}");
    Ok(())
}
