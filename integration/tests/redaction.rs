//! What is not to be stored is in no table, and what is not to leave is in no sink. Some of it needs root.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use watershed_integration::agent::{Agent, failure};
use watershed_integration::processes;
use watershed_integration::redis::Redis;
use watershed_integration::{machine, servers};

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
    let mut command = Command::new(binary);
    let (code, stderr) = failure(command.args(["run", "--redact", "http_events.latency"]))?;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("write TABLE.COLUMN of a text column, header:NAME or literals, values"), "{stderr}");
    assert_eq!(stderr.trim().lines().count(), 1, "one line: {stderr}");
    Ok(())
}

/// What a client tells a server and nobody else is to know.
const SECRETS: [&str; 6] =
    ["s3cretT0kenOfAnn", "c00kieOfAnn", "ann@example.com", "4111 1111 1111 1111", "hunter2", "eyJhbGciOiJIUzI1NiJ9"];

fn tell_secrets(url: &str) -> Result<()> {
    processes::output(
        Command::new("curl").args(["-sS", "-o", "/dev/null", "-H", "Authorization: Bearer s3cretT0kenOfAnn"]).args([
            "-H",
            "Cookie: session=c00kieOfAnn",
            "-d",
            "card=4111 1111 1111 1111&token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            &format!("{url}/by/ann@example.com?password=hunter2"),
        ]),
    )?;
    Ok(())
}

fn python_server(test: &str) -> Result<Option<servers::Server>> {
    if !machine::can_trace(test, &["python3", "curl"]) {
        return Ok(None);
    }
    let python = machine::find("python3").unwrap();
    Ok(Some(servers::program(&[python], "plain.py", include_str!("../servers/plain.py"))?))
}

#[test]
fn built_in_rules_hide_what_is_stored_as_root() -> Result<()> {
    let Some(server) = python_server("built_in_rules")? else { return Ok(()) };
    for (rules, hides) in [(&[][..], false), (&["--redact", "builtin"][..], true)] {
        let agent = Agent::on_process(server.process.pid(), rules)?;
        tell_secrets(&server.url(""))?;
        assert_eq!(agent.settled_at("SELECT count(*) FROM http_events", 1)?, 1);
        let row = serde_json::to_string(&agent.query("SELECT * FROM http_events")?)?;
        for secret in SECRETS {
            assert_eq!(!row.contains(secret), hides, "{secret} in {row}");
        }
        assert!(row.contains("card=") && row.contains("/by/") && row.contains("Authorization"), "{row}");
        assert_eq!(agent.stop(), Some(0));
    }
    Ok(())
}

#[test]
fn sinks_hide_secrets_unless_their_manifest_says_otherwise_as_root() -> Result<()> {
    let Some(server) = python_server("sinks_hide_secrets")? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let directory = folder.path().to_str().unwrap();
    let agent = Agent::on_process(server.process.pid(), &["--sink-files", directory])?;
    for (name, redact) in [("closed", ""), ("cards", "redact = [\"cards\"]\n"), ("open", "redact = [\"none\"]\n")] {
        let manifest = folder.path().join(format!("{name}.toml"));
        let text = format!("name = \"{name}\"\ntable = \"http_events\"\n{redact}[file]\npath = \"{name}.jsonl\"\n");
        std::fs::write(&manifest, text)?;
        processes::output(&mut agent.command(&["sink", "apply", manifest.to_str().unwrap()]))?;
    }
    tell_secrets(&server.url(""))?;
    assert_eq!(agent.settled_at("SELECT count(*) FROM http_events", 1)?, 1);
    let written = |name: &str| std::fs::read_to_string(folder.path().join(format!("{name}.jsonl"))).unwrap_or_default();
    processes::wait_until("the rows in all files", || {
        ["closed", "cards", "open"].iter().all(|name| written(name).contains("/by/"))
    })?;
    for secret in SECRETS {
        assert!(!written("closed").contains(secret), "{secret}: {}", written("closed"));
        assert!(written("open").contains(secret), "{secret}: {}", written("open"));
        assert_eq!(!written("cards").contains(secret), secret.starts_with("4111"), "{secret}");
    }
    let wrong = folder.path().join("wrong.toml");
    std::fs::write(&wrong, "name = \"w\"\ntable = \"http_events\"\nredact = [\"card\"]\n[file]\npath = \"w\"\n")?;
    let (code, stderr) = failure(&mut agent.command(&["sink", "apply", wrong.to_str().unwrap()]))?;
    assert!(code == Some(2) && stderr.contains("`card` is no built-in rule"), "{stderr}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn redis_keeps_its_keys_and_loses_its_values_as_root() -> Result<()> {
    if !machine::can_trace("redis_values", &Redis::PROGRAMS) {
        return Ok(());
    }
    let redis = Redis::start()?;
    let agent = Agent::on_process(redis.pid(), &["--redact", "values"])?;
    redis.ask(&["SET", "user:1", "a value"])?;
    redis.ask(&["GET", "user:1"])?;
    let rows = "SELECT count(*) FROM redis_events WHERE req_cmd IN ('SET', 'GET')";
    assert_eq!(agent.settled_at(rows, 2)?, 2);
    assert_eq!(agent.number(&format!("{rows} AND req_args LIKE '[\"user:1\"%'"))?, 2);
    assert_eq!(agent.number(&format!("{rows} AND resp = '<redacted>'"))?, 1);
    assert_eq!(agent.number(&format!("{rows} AND (req_args LIKE '%value%' OR resp LIKE '%value%')"))?, 0);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_recording_is_refused_where_rules_hide_something() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("r.rec");
    let mut command = Command::new(watershed_integration::agent::binary());
    command.env("WATERSHED_REDACT", "builtin").arg("record").arg(&file).args(["--for", "1s"]);
    let (code, stderr) = failure(&mut command)?;
    assert_eq!((code, stderr.trim().lines().count()), (Some(2), 1), "{stderr}");
    assert!(stderr.contains("--raw") && !file.exists(), "{stderr}");
    Ok(())
}
