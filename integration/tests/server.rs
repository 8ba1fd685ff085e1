//! The server as others meet it: what survives a restart, who may ask, and the ways to ask beside the CLI.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use watershed_integration::agent::{Agent, failure};
use watershed_integration::{machine, processes};

const BUSY: &str = "SELECT req_method, count(*) AS n FROM http_events \
                    WHERE time_ > now() - INTERVAL '1 minute' GROUP BY req_method";

/// An agent on the recording of the demo, which needs no privileges.
fn agent(flags: &[&str]) -> Result<Agent> {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let source = format!("recording:{}", recording.display());
    Agent::start(&[&["--source", &source, "--pace", "fast"], flags].concat())
}

/// Posts a gRPC message without fields; the response's body.
fn post(agent: &Agent, flags: &[&str], method: &str) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty");
    std::fs::write(&empty, [0; 5])?;
    let url = format!("http://{}/{method}", agent.address());
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", "--data-binary", &format!("@{}", empty.display())]).args(flags).arg(url);
    Ok(command.output()?.stdout)
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn named_views_are_there_again_after_a_restart() -> Result<()> {
    let state = tempfile::tempdir()?;
    let flags = ["--state", state.path().to_str().unwrap()];
    let names = |agent: &Agent| processes::output(&mut agent.command(&["view", "list", "-o", "jsonl"]));

    let first = agent(&flags)?;
    processes::output(&mut first.command(&["view", "create", "busy", "-s", BUSY]))?;
    processes::output(&mut first.command(&["view", "create", "gone", "-s", BUSY]))?;
    processes::output(&mut first.command(&["view", "drop", "gone"]))?;
    assert_eq!(first.stop(), Some(0));

    let second = agent(&flags)?;
    let listed = names(&second)?;
    assert!(listed.contains("\"busy\"") && !listed.contains("\"gone\""), "{listed}");
    assert!(second.query("SELECT * FROM busy")?.len() <= 10);
    assert_eq!(second.stop(), Some(0));
    Ok(())
}

#[test]
fn only_who_has_the_token_is_answered() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    std::fs::write(&file, "open-sesame\n")?;
    let agent = agent(&["--token-file", file.to_str().unwrap()])?;
    let query = ["query", "-s", "SELECT 1 AS one"];

    for token in [None, Some("open-barley")] {
        let mut command = agent.command(&query);
        command.env_remove("WATERSHED_TOKEN").envs(token.map(|token| ("WATERSHED_TOKEN", token)));
        let (code, stderr) = failure(&mut command)?;
        assert_eq!(code, Some(3), "{token:?}: {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "one line: {stderr}");
        assert!(!stderr.contains("open-sesame"), "{stderr}");
    }
    let answer = processes::output(agent.command(&query).env("WATERSHED_TOKEN", "open-sesame"))?;
    assert_eq!(answer.trim(), r#"{"one":1}"#);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn grpc_web_and_reflection_answer() -> Result<()> {
    if !machine::has_commands("grpc_web_and_reflection_answer", &["curl"]) {
        return Ok(());
    }
    let agent = agent(&[])?;
    let web = ["--http1.1", "-H", "content-type: application/grpc-web+proto", "-H", "x-grpc-web: 1"];
    let body = post(&agent, &web, "watershed.v1.Views/ListTables")?;
    assert!(holds(&body, "http_events") && holds(&body, "grpc-status:0"), "{}", String::from_utf8_lossy(&body));

    // ServerReflectionRequest { list_services: "" }
    let folder = tempfile::tempdir()?;
    let request = folder.path().join("request");
    std::fs::write(&request, [0, 0, 0, 0, 2, 0x3a, 0])?;
    let url = format!("http://{}/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", agent.address());
    let mut command = Command::new("curl");
    command.args(["-sS", "--http2-prior-knowledge", "--max-time", "20", "-H", "content-type: application/grpc"]);
    command.args(["-H", "te: trailers", "--data-binary", &format!("@{}", request.display())]).arg(url);
    let body = command.output()?.stdout;
    for service in ["watershed.v1.Views", "grpc.health.v1.Health"] {
        assert!(holds(&body, service), "{service}: {}", String::from_utf8_lossy(&body));
    }
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
