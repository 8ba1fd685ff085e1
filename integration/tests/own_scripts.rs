//! A user's folder of scripts: run and followed by name, read again when it changes, broken ones told.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::{Agent, failure};
use watershed_integration::processes;

fn write(scripts: &Path, file: &str, text: &str) {
    let path = scripts.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let partial = path.with_file_name(".partial");
    std::fs::write(&partial, text).unwrap();
    std::fs::rename(partial, path).unwrap();
}

fn lines(agent: &Agent, arguments: &[&str]) -> Result<Vec<Value>> {
    let text = processes::output(&mut agent.command(arguments))?;
    Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn listed(agent: &Agent, name: &str) -> Result<Option<Value>> {
    Ok(lines(agent, &["script", "list", "-o", "jsonl"])?.into_iter().find(|script| script["name"] == name))
}

#[test]
fn own_scripts_are_reloaded_and_a_broken_one_leaves_the_last_good_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scripts = folder.path();
    write(scripts, "team/one/one.sql", "SELECT 1 AS n");
    write(scripts, "team/one/manifest.yaml", "doc: One.\n");
    write(scripts, "team/late/late.sql", "SELECT nothing FROM http_events");
    write(scripts, "methods/manifest.yaml", "doc: Methods.\nalways_on: true\n");
    write(scripts, "methods/methods.sql", "SELECT name, count(*) AS n FROM processes GROUP BY name");
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let source = format!("recording:{}", recording.display());
    let agent = Agent::start(&["--source", &source, "--pace", "fast", "--scripts", scripts.to_str().unwrap()])?;

    assert_eq!(lines(&agent, &["query", "team/one", "-o", "jsonl"])?, [serde_json::json!({"n": 1})]);
    assert_eq!(listed(&agent, "team/one")?.unwrap()["doc"], "One.");
    let broken = listed(&agent, "team/late")?.unwrap();
    assert!(broken["error"].as_str().unwrap().starts_with("team/late/late.sql:1:8: "), "{broken}");
    let (code, message) = failure(&mut agent.command(&["query", "team/late"]))?;
    assert!(code == Some(2) && message.contains("nothing"), "{code:?}: {message}");
    processes::wait_until("what is always on is a view", || {
        agent.number("SELECT count(*) FROM methods").is_ok_and(|rows| rows > 0)
    })?;

    let checked = processes::output(&mut agent.command(&["script", "check", "methods"]))?;
    assert!(checked.starts_with("methods: can be a view\n"), "{checked}");
    assert!(checked.contains("runs already as methods") && checked.contains("state processes"), "{checked}");
    let explained = lines(&agent, &["query", "-s", "EXPLAIN SELECT pod FROM http_events", "-o", "jsonl"])?;
    assert!(explained[0]["plan"].as_str().unwrap().contains("cannot be a view"), "{explained:?}");

    write(scripts, "team/one/one.sql", "SELECT 22 AS n");
    let is_new = || lines(&agent, &["query", "team/one", "-o", "jsonl"]).is_ok_and(|rows| rows[0]["n"] == 22);
    processes::wait_until("the new text", is_new)?;
    write(scripts, "team/one/one.sql", "SELECT FROM");
    let told = || listed(&agent, "team/one").unwrap().is_some_and(|script| script["error"] != "");
    processes::wait_until("the mistake", told)?;
    assert_eq!(lines(&agent, &["query", "team/one", "-o", "jsonl"])?, [serde_json::json!({"n": 22})]);
    write(scripts, "methods/methods.sql", "SELECT count(*) AS processes FROM processes");
    processes::wait_until("the new view", || agent.number("SELECT processes FROM methods").is_ok())?;
    std::fs::remove_dir_all(scripts.join("methods"))?;
    processes::wait_until("the view to go", || agent.number("SELECT count(*) FROM methods").is_err())?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
