//! Sinks of a running agent against a real broker, read by a client of another make.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use watershed_integration::agent::{Agent, failure};
use watershed_integration::broker::{self, Broker, GUEST};
use watershed_integration::{machine, processes, servers};

/// What a reader of a topic holds, or what a view has: rows as JSON with sorted keys.
type Rows = BTreeMap<String, i64>;

/// Times that the agent is killed.
const KILLS: u32 = 50;

/// A broker, and Python to read it; prints why not.
fn broker(test: &str) -> Result<Option<Broker>> {
    if broker::python().is_none() {
        println!("SKIPPED {test}: no Python with confluent-kafka; `tools/setup.sh test` installs it");
        return Ok(None);
    }
    match Broker::start()? {
        Ok(broker) => Ok(Some(broker)),
        Err(why) => {
            println!("SKIPPED {test}: {why}");
            Ok(None)
        }
    }
}

fn recording() -> String {
    format!("recording:{}", Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec").display())
}

fn manifest(name: &str, follows: &str, brokers: &str, extra: &str) -> String {
    format!("name = \"{name}\"\n{follows}\n[kafka]\nbrokers = \"{brokers}\"\ntopic = \"{name}\"\n{extra}\n")
}

fn apply(agent: &Agent, text: &str) -> Result<(Option<i32>, String)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sink.toml");
    std::fs::write(&file, text)?;
    failure(&mut agent.command(&["sink", "apply", &file.to_string_lossy()]))
}

fn applied(agent: &Agent, text: &str) -> Result<()> {
    let (code, printed) = apply(agent, text)?;
    ensure!(code == Some(0), "{printed}");
    Ok(())
}

/// Requests for so many seconds, or until it is dropped.
fn load(nginx: &servers::Server, seconds: u32) -> Result<processes::Owned> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c4", &format!("-d{seconds}s"), &nginx.url("/1k.txt")]);
    processes::Owned::spawn(command.stdout(std::process::Stdio::null()))
}

fn sorted(row: &str) -> String {
    serde_json::from_str::<Value>(row).unwrap().to_string()
}

/// What a reader holds who applied every committed record, and the last frontier. Nothing of it may be out of order.
fn held(brokers: &str, topic: &str, mode: &str, node: &str) -> Result<(Rows, u64)> {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/reader.py");
    let mut command = Command::new(broker::python().unwrap());
    let text = processes::output(command.arg(reader).args([brokers, topic, mode, node]))?;
    let read: Value = serde_json::from_str(&text)?;
    ensure!(read["problems"].as_array().unwrap().is_empty(), "{}", read["problems"]);
    let rows = read["rows"].as_object().unwrap().iter();
    let rows = rows.map(|(row, count)| (sorted(row), count.as_i64().unwrap())).collect();
    Ok((rows, read["frontier"].as_u64().unwrap()))
}

/// A view's rows and the time that they are of.
fn view(agent: &Agent, name: &str) -> Result<(Rows, u64)> {
    let sql = format!("SELECT * FROM {name}");
    let text = processes::output(&mut agent.command(&["query", "-o", "json", "-s", &sql]))?;
    let answer: Value = serde_json::from_str(&text)?;
    let table = answer["tables"].as_object().unwrap().values().next().unwrap();
    let columns: Vec<_> = table["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let mut rows = Rows::new();
    for row in table["rows"].as_array().unwrap() {
        let cells = columns.iter().map(|name| (*name).to_owned()).zip(row.as_array().unwrap().iter().cloned());
        *rows.entry(Value::Object(cells.collect()).to_string()).or_default() += 1;
    }
    Ok((rows, answer["time"].as_u64().unwrap()))
}

/// Compares at the committed frontier: the view is asked before and after the topic is read, and has to be the same both
/// times around it, so that it was that at the frontier, too.
fn assert_the_topic_holds(agent: &Agent, name: &str, brokers: &str, topic: &str, mode: &str, node: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let (before, from) = view(agent, name)?;
        let (rows, frontier) = held(brokers, topic, mode, node)?;
        let (after, to) = view(agent, name)?;
        if before == after && (from..=to).contains(&frontier) {
            assert_eq!(rows, after, "at {frontier}");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{frontier} is not in {from}..={to} or the view moves: {rows:?} {after:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_reader_holds_the_view_in_both_modes_and_over_restarts() -> Result<()> {
    let Some(broker) = broker("a_reader_holds_the_view_in_both_modes_and_over_restarts")? else { return Ok(()) };
    let (state, brokers) = (tempfile::tempdir()?, broker.address());
    let (source, state) = (recording(), state.path().to_string_lossy().into_owned());
    let flags = ["--source", &source, "--pace", "fast", "--state", &state, "--node", "one"];
    for round in 0..2 {
        let agent = Agent::start(&flags)?;
        if round == 0 {
            applied(&agent, &manifest("changes", "view = \"service_map\"", &brokers, ""))?;
            applied(&agent, &manifest("upsert", "view = \"endpoint_latency\"", &brokers, "mode = \"upsert\""))?;
            applied(&agent, &manifest("http", "table = \"http_events\"", &brokers, "compression = \"zstd\""))?;
        }
        assert_the_topic_holds(&agent, "service_map", &brokers, "changes", "changes", "one")?;
        assert_the_topic_holds(&agent, "endpoint_latency", &brokers, "upsert", "upsert", "one")?;
        let sinks = agent.query("SELECT * FROM system.sinks")?;
        assert_eq!(sinks.len(), 3);
        assert!(sinks.iter().all(|sink| sink["phase"] == "running" && sink["dropped"] == 0), "{sinks:?}");
        assert_eq!(agent.stop(), Some(0));
    }
    Ok(())
}

#[test]
fn agents_that_are_killed_and_a_broker_that_is_killed_lose_and_double_nothing() -> Result<()> {
    let test = "agents_that_are_killed_and_a_broker_that_is_killed_lose_and_double_nothing";
    if !machine::can_trace(test, &["nginx", "wrk"]) {
        return Ok(());
    }
    let Some(mut broker) = broker(test)? else { return Ok(()) };
    let (state, brokers) = (tempfile::tempdir()?, broker.address());
    let state = state.path().to_string_lossy().into_owned();
    let flags = ["--state", &state, "--node", "one"];
    let nginx = servers::nginx(false)?;
    let under_load = load(&nginx, 20 * KILLS)?;
    let agent = Agent::on_process(nginx.process.pid(), &flags)?;
    applied(&agent, &manifest("map", "view = \"service_map\"", &brokers, ""))?;
    applied(&agent, &manifest("latency", "view = \"endpoint_latency\"", &brokers, "mode = \"upsert\""))?;
    let mut agent = Some(agent);
    let mut moment = 1;
    for kill in 0..KILLS {
        // Moments that are spread over opening, reading back, the first transaction and later ones.
        moment = moment * 7919 % 3001;
        std::thread::sleep(Duration::from_millis(moment));
        let is_broker_killed = kill % 8 == 7;
        if is_broker_killed {
            broker.kill();
            std::thread::sleep(Duration::from_millis(moment / 3));
        }
        if let Some(agent) = agent.take() {
            agent.kill();
        }
        broker.resume()?;
        // The next one ends the transaction that the killed one has left open.
        agent = Some(Agent::on_process(nginx.process.pid(), &flags)?);
        if is_broker_killed {
            for (topic, mode) in [("map", "changes"), ("latency", "upsert")] {
                held(&brokers, topic, mode, "one")?;
            }
        }
    }
    drop(under_load);
    let agent = agent.unwrap();
    assert_the_topic_holds(&agent, "service_map", &brokers, "map", "changes", "one")?;
    assert_the_topic_holds(&agent, "endpoint_latency", &brokers, "latency", "upsert", "one")?;
    Ok(())
}

#[test]
fn the_later_of_two_agents_of_one_name_fences_the_earlier() -> Result<()> {
    let test = "the_later_of_two_agents_of_one_name_fences_the_earlier";
    if !machine::can_trace(test, &["nginx", "wrk"]) {
        return Ok(());
    }
    let Some(broker) = broker(test)? else { return Ok(()) };
    let brokers = broker.address();
    let manifest = manifest("map", "view = \"service_map\"", &brokers, "");
    // Who has nothing to write does not find out.
    let nginx = servers::nginx(false)?;
    let _under_load = load(&nginx, 300)?;
    let start = || Agent::on_process(nginx.process.pid(), &["--node", "one"]);
    let (first, second) = (start()?, start()?);
    applied(&first, &manifest)?;
    applied(&second, &manifest)?;
    processes::wait_at_most(120, "the first agent to be fenced", || {
        let sinks = first.query("SELECT phase, reason FROM system.sinks").unwrap();
        sinks.iter().any(|sink| sink["phase"] == "failed" && sink["reason"].as_str().unwrap().contains("another agent"))
    })?;
    held(&brokers, "map", "changes", "one")?;
    Ok(())
}

#[test]
fn two_nodes_share_a_topic() -> Result<()> {
    let Some(broker) = broker("two_nodes_share_a_topic")? else { return Ok(()) };
    let (brokers, source) = (broker.address(), recording());
    let start = |node: &str| Agent::start(&["--source", &source, "--pace", "fast", "--node", node]);
    let (one, two) = (start("one")?, start("two")?);
    for agent in [&one, &two] {
        applied(agent, &manifest("map", "view = \"service_map\"", &brokers, ""))?;
    }
    assert_the_topic_holds(&one, "service_map", &brokers, "map", "changes", "one")?;
    assert_the_topic_holds(&two, "service_map", &brokers, "map", "changes", "two")?;
    Ok(())
}

#[test]
fn bad_input_is_one_clear_line_at_apply() -> Result<()> {
    let Some(broker) = broker("bad_input_is_one_clear_line_at_apply")? else { return Ok(()) };
    let source = recording();
    let folder = tempfile::tempdir()?;
    let files = folder.path().to_str().expect("a temporary name is text");
    let agent = Agent::start(&["--source", &source, "--pace", "fast", "--sink-files", files])?;
    let brokers = broker.address();
    let (user, password) = GUEST;
    let login = |mechanism: &str, password: &str| {
        format!("[kafka.security]\nmechanism = \"{mechanism}\"\nusername = \"{user}\"\npassword = \"{password}\"")
    };
    let sasl = broker.sasl_address();
    for (text, says) in [
        (manifest("map", "view = \"servce_map\"", &brokers, ""), "did you mean `service_map`?"),
        (manifest("map", "table = \"http_event\"", &brokers, ""), "did you mean `http_events`?"),
        (
            manifest("map", "view = \"service_map\"", &brokers, "topik = 1"),
            "unknown key `topik`; did you mean `topic`?",
        ),
        (manifest("map", "view = \"service_map\"", &brokers, "acks = \"1\""), "too few for transactions"),
        (manifest("map", "view = \"service_map\"", &brokers, "format = \"avro\""), "needs a schema registry"),
        (manifest("a b", "view = \"service_map\"", &brokers, ""), "`a b` is no name of a sink"),
        (manifest("map", "table = \"http_events\"", &brokers, "mode = \"upsert\""), "needs rows with a key"),
        (manifest("map", "view = \"service_map\"", &sasl, &login("PLAIN", "wrong")), "uthentication failed"),
        (manifest("map", "view = \"service_map\"", &sasl, &login("SCRAM-SHA-256", "wrong")), "uthentication failed"),
        (manifest("map", "view = \"service_map\"", &sasl, &login("PLAIN", password)), "uthoriz"),
        (manifest("map", "view = \"service_map\"", &sasl, &login("SCRAM-SHA-256", password)), "uthoriz"),
    ] {
        let (code, printed) = apply(&agent, &text)?;
        assert_eq!(code, Some(2), "{text}\n{printed}");
        assert!(printed.contains(says) && printed.trim_end().lines().count() == 1, "{text}\n{printed}");
        assert!(agent.query("SELECT * FROM system.sinks")?.is_empty());
    }
    let outside = "name = \"job\"\nview = \"service_map\"\n[file]\npath = \"/etc/cron.d/job\"";
    let (code, printed) = apply(&agent, outside)?;
    assert_eq!((code, printed.trim_end().lines().count()), (Some(2), 1), "{printed}");
    assert!(printed.contains("(--sink-files)"), "{printed}");
    // A broker that is not there may come.
    let nowhere = format!("127.0.0.1:{}", machine::free_port());
    let (code, printed) = apply(&agent, &manifest("map", "view = \"service_map\"", &nowhere, ""))?;
    assert_eq!(code, Some(0));
    assert!(printed.contains("goes on trying"), "{printed}");
    Ok(())
}
