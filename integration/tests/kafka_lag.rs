//! Needs root and a broker; a figure: the time from a closed time to its committed record, under live load.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::{Agent, failure};
use watershed_integration::broker::{self, Broker};
use watershed_integration::{machine, processes, servers};

const SECONDS: u32 = 30;

#[test]
#[ignore = "a figure: run it with --ignored --nocapture on a quiet machine, WATERSHED_BIN naming a release build"]
fn a_closed_time_is_committed_within_half_a_second() -> Result<()> {
    let test = "a_closed_time_is_committed_within_half_a_second";
    let Some(python) = broker::python().filter(|_| machine::can_trace(test, &["nginx", "wrk"])) else {
        println!("SKIPPED {test}: it needs root, nginx, wrk and Python with confluent-kafka");
        return Ok(());
    };
    let broker = match Broker::start()? {
        Ok(broker) => broker,
        Err(why) => {
            println!("SKIPPED {test}: {why}");
            return Ok(());
        }
    };
    let (folder, brokers) = (tempfile::tempdir()?, broker.address());
    let nginx = servers::nginx(false)?;
    let agent = Agent::on_process(nginx.process.pid(), &[])?;
    let mut load = Command::new("wrk");
    load.args(["-t1", "-c4", &format!("-d{}s", SECONDS + 30), &nginx.url("/1k.txt")]);
    let _load = processes::Owned::spawn(load.stdout(Stdio::null()))?;
    let file = folder.path().join("sink.toml");
    std::fs::write(
        &file,
        format!("name = \"map\"\nview = \"service_map\"\n[kafka]\nbrokers = \"{brokers}\"\ntopic = \"map\"\n"),
    )?;
    let (code, printed) = failure(&mut agent.command(&["sink", "apply", &file.to_string_lossy()]))?;
    assert_eq!(code, Some(0), "{printed}");
    processes::wait_until("records", || {
        agent.number("SELECT sum(written) FROM system.sinks").is_ok_and(|written| written > 10)
    })?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/lag.py");
    let text = processes::output(Command::new(python).arg(script).args([&brokers, "map", &SECONDS.to_string()]))?;
    println!("closed time to committed record: {}", text.trim());
    let lag: Value = serde_json::from_str(&text)?;
    assert!(lag["times"].as_u64().unwrap() > u64::from(SECONDS), "{lag}");
    assert!(lag["p99_ms"].as_f64().unwrap() <= 500.0, "{lag}");
    Ok(())
}
