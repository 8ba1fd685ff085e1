//! Scripts in both languages through the CLI: once, kept answered, bundled, with arguments, and with mistakes.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Stdio;

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::{Agent, binary, failure};
use watershed_integration::processes;

const METHODS: &str = r"
import px


def methods(start_time: str, least: int):
    df = px.DataFrame('http_events', start_time=start_time)
    df = df[df.trace_role == 2]
    df = df.groupby('req_method').agg(n=('latency', px.count))
    return df[df.n >= least]
";

const VIS: &str = r#"{
  "variables": [
    {"name": "start_time", "type": "PX_STRING", "defaultValue": "-5m"},
    {"name": "least", "type": "PX_INT64", "defaultValue": "1"}
  ],
  "widgets": [{"name": "methods", "func": {"name": "methods", "args": [
    {"name": "start_time", "variable": "start_time"}, {"name": "least", "variable": "least"}]},
    "displaySpec": {"@type": "types.px.dev/px.vispb.Table"}}]
}"#;

fn agent() -> Result<Agent> {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let agent = Agent::start(&["--source", &format!("recording:{}", recording.display()), "--pace", "fast"])?;
    agent.settled("SELECT count(*) FROM http_events")?;
    Ok(agent)
}

fn lines(agent: &Agent, arguments: &[&str]) -> Result<Vec<Value>> {
    let text = processes::output(&mut agent.command(arguments))?;
    Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn a_pxl_file_with_its_vis_json_answers_once_and_continuously() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("methods.pxl");
    std::fs::write(&file, METHODS)?;
    std::fs::write(folder.path().join("vis.json"), VIS)?;
    let (agent, file) = (agent()?, file.to_str().unwrap());

    let mut once = lines(&agent, &["query", "-f", file, "-o", "jsonl"])?;
    once.sort_by_key(ToString::to_string);
    assert_eq!(once.len(), 2, "{once:?}");
    let sql = "SELECT count(*) FROM http_events WHERE trace_role = 2 AND req_method = 'GET'";
    assert!(once.contains(&serde_json::json!({"req_method": "GET", "n": agent.number(sql)?})), "{once:?}");
    let more = lines(&agent, &["query", "-f", file, "--arg", "least=100000", "-o", "jsonl"])?;
    assert!(more.is_empty(), "{more:?}");

    let followed = lines(&agent, &["subscribe", "-f", file, "--for", "2s", "-o", "jsonl"])?;
    assert!(followed[0]["schema"]["methods"].is_array(), "{}", followed[0]);
    let mut shown: Vec<Value> =
        followed.iter().filter(|line| line["snapshot"] == "methods").map(|line| line["row"].clone()).collect();
    shown.sort_by_key(ToString::to_string);
    assert_eq!(shown, once);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn bundled_scripts_and_metadata_functions_answer() -> Result<()> {
    let agent = agent()?;
    assert_eq!(lines(&agent, &["query", "px/http_data", "--arg", "max_rows=3", "-o", "jsonl"])?.len(), 3);
    assert!(lines(&agent, &["query", "px/schemas", "-o", "jsonl"])?.len() > 200);
    let named = "SELECT count(*) FROM http_events WHERE upid_to_cmdline(upid) LIKE '%nginx%'";
    assert!(agent.number(named)? > 0);
    let functions = processes::output(std::process::Command::new(binary()).args([
        "script",
        "functions",
        "--search",
        "quantile",
        "-o",
        "jsonl",
    ]))?;
    assert!(functions.contains("quantiles"), "{functions}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn mistakes_in_pxl_have_their_places_and_near_names() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wrong.pxl");
    std::fs::write(
        &file,
        "import px\ndf = px.DataFrame('http_evnts')\ndf = px.DataFrame('http_events')\ndf.x = df.latenzy\npx.display(df)\n",
    )?;
    let agent = agent()?;
    let (code, stderr) = failure(&mut agent.command(&["query", "-f", file.to_str().unwrap()]))?;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("wrong.pxl:2:") && stderr.contains("`http_events`"), "{stderr}");
    assert!(stderr.contains("wrong.pxl:4:") && stderr.contains("`latency`"), "{stderr}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_tracepoint_that_is_deployed_tells_its_state_and_reason() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("trace.pxl");
    let text = "import pxtrace\nimport px\npxtrace.UpsertTracepoint('tcp_drops', 'drops', \
                'tracepoint:skb:kfree_skb { printf(\"time_:%llu pid:%d\", nsecs, pid); }', pxtrace.kprobe(), '10m')\n\
                px.display(px.DataFrame('drops'))\n";
    std::fs::write(&file, text)?;
    let (agent, file) = (agent()?, file.to_str().unwrap());
    assert!(lines(&agent, &["query", "-f", file, "-o", "jsonl"])?.is_empty());
    let status = "import px\npx.display(px.GetTracepointStatus())\n";
    let told = || lines(&agent, &["query", "-s", status, "-o", "jsonl"]);
    processes::wait_until("the status", || told().is_ok_and(|rows| rows.len() == 1))?;
    let row = told()?.remove(0);
    assert_eq!(
        (&row["name"], &row["state"], &row["output_tables"]),
        (&"tcp_drops".into(), &"FAILED".into(), &"[\"drops\"]".into())
    );
    assert!(row["status"].as_str().unwrap().contains("bpftrace"), "{row}");
    std::fs::write(file, "import pxtrace\nimport px\npxtrace.DeleteTracepoint('tcp_drops')\n")?;
    lines(&agent, &["query", "-f", file, "-o", "jsonl"])?;
    processes::wait_until("its end", || told().is_ok_and(|rows| rows.is_empty()))?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn subscriptions_share_a_view_only_when_their_plans_are_the_same() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("methods.pxl");
    std::fs::write(&file, METHODS)?;
    std::fs::write(folder.path().join("vis.json"), VIS)?;
    let (agent, file) = (agent()?, file.to_str().unwrap());
    let check = |script: &str| processes::output(&mut agent.command(&["script", "check", script]));
    let runs = || check(file).is_ok_and(|checked| checked.contains("runs already as ~"));
    assert!(!runs());
    let follow = |arguments: &[&str]| {
        let flags = ["subscribe", "--for", "60s", "-o", "jsonl"];
        agent.command(&[flags.as_slice(), arguments].concat()).stdout(Stdio::null()).spawn()
    };
    let mut first = follow(&["-f", file])?;
    processes::wait_until("the view", runs)?;
    // Other arguments are another plan, whatever the text.
    let none = lines(&agent, &["subscribe", "-f", file, "--arg", "least=100000", "--for", "2s", "-o", "jsonl"])?;
    assert!(none.iter().all(|line| line["snapshot"].is_null() && line["table"].is_null()), "{none:?}");
    let same = lines(&agent, &["subscribe", "-f", file, "--arg", "start_time=-300s", "--for", "2s", "-o", "jsonl"])?;
    assert_eq!(same.iter().filter(|line| line["snapshot"] == "methods").count(), 2, "{same:?}");
    assert!(runs(), "the last of its users keeps a view");
    first.kill()?;
    first.wait()?;
    processes::wait_until("the end of the view", || !runs())?;
    assert!(check("ws/service_map")?.contains("runs already as service_map"));
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
