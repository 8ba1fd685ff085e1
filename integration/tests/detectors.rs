//! Detectors through the command line: the example models over recordings, and another version of a model's file.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::{self, Agent};
use watershed_integration::processes;
use watershed_integration::subscription::Subscription;

const MODELS: [(&str, &str); 2] = [("isolation-forest", "unusual-endpoints"), ("gradient-boosting", "known-fault")];
/// Whom the fault of the recording concerns: the service that has it, and those that call it.
const FAULTY: [&str; 3] = ["nginx@vm POST /orders", "orders@vm POST /orders", "payments@vm POST /charge"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../detectors/examples")
}

fn town() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec").display().to_string()
}

fn fault() -> String {
    examples().join("fault.rec").display().to_string()
}

/// Subjects that a manifest would have flagged of a recording.
fn backtest(model: &str, recording: &str) -> Result<Vec<String>> {
    let manifest = examples().join(format!("{model}.toml")).display().to_string();
    let source = format!("recording:{recording}");
    let arguments = ["detector", "backtest", &manifest, "--source", &source, "-o", "jsonl"];
    let text = processes::output(Command::new(agent::binary()).args(arguments))?;
    let rows = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let mut subjects: Vec<String> = rows.iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect();
    subjects.sort();
    Ok(subjects)
}

/// A field of `detector show`.
fn shown(agent: &Agent, name: &str, field: &str) -> Result<Option<String>> {
    let text = processes::output(&mut agent.command(&["detector", "show", name, "-o", "jsonl"]))?;
    let rows = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let row = rows.iter().find(|row| row["field"] == field);
    Ok(row.map(|row| row["value"].as_str().unwrap().to_owned()))
}

/// As deploying does it: beside it, then in its place.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("beside");
    fs::write(&beside, bytes)?;
    Ok(fs::rename(beside, path)?)
}

#[test]
fn example_models_flag_the_fault_and_nothing_of_the_demo() {
    std::thread::scope(|scope| {
        for (model, _) in MODELS {
            scope.spawn(move || {
                assert_eq!(backtest(model, &fault()).unwrap(), FAULTY, "{model}");
                assert_eq!(backtest(model, &town()).unwrap(), Vec::<String>::new(), "{model}");
            });
        }
    });
}

#[test]
fn a_models_file_that_changes_is_tried_and_taken_while_its_flags_stand() -> Result<()> {
    let (folder, state) = (tempfile::tempdir()?, tempfile::tempdir()?);
    for (model, _) in MODELS {
        for ending in ["toml", "onnx"] {
            let file = format!("{model}.{ending}");
            fs::copy(examples().join(&file), folder.path().join(&file))?;
        }
    }
    let source = format!("recording:{}", fault());
    let state = state.path().to_str().unwrap();
    let agent = Agent::start(&["--source", &source, "--detectors", "none", "--state", state])?;
    for (model, _) in MODELS {
        let manifest = folder.path().join(format!("{model}.toml"));
        processes::output(&mut agent.command(&["detector", "apply", manifest.to_str().unwrap()]))?;
    }
    let flags = |name: &str| shown(&agent, name, "flags").is_ok_and(|flags| flags.as_deref() == Some("3"));
    for (_, detector) in MODELS {
        processes::wait_at_most(180, detector, || flags(detector))?;
        assert_eq!(shown(&agent, detector, "version")?.as_deref(), Some("1"));
    }
    let name = "unusual-endpoints";
    let told = Subscription::start(&agent, "SELECT detector, subject FROM anomalies")?;
    processes::wait_until("a snapshot", || !told.seen().rows.is_empty())?;

    // The forest's file becomes the boosted model: it takes the same features and flags the same subjects.
    let file = folder.path().join("isolation-forest.onnx");
    replace(&file, &fs::read(examples().join("gradient-boosting.onnx"))?)?;
    processes::wait_until("version 2", || shown(&agent, name, "version").is_ok_and(|v| v.as_deref() == Some("2")))?;
    replace(&file, b"no model")?;
    let complains = || shown(&agent, name, "problem").is_ok_and(|problem| problem.is_some());
    processes::wait_until("a problem", complains)?;
    let problem = shown(&agent, name, "problem")?.unwrap();
    assert!(problem.contains("this is no ONNX model; version 2 goes on"), "{problem}");
    assert_eq!(shown(&agent, name, "state")?.as_deref(), Some("working"));
    assert!(flags(name));
    let changes = told.seen().changes;
    assert!(changes.iter().all(|(_, diff)| *diff > 0), "no flag goes and comes back: {changes:?}");

    assert_eq!(agent.stop(), Some(0));
    let again = Agent::start(&["--source", &source, "--detectors", "none", "--state", state])?;
    processes::wait_until("version 2 again", || {
        shown(&again, name, "version").is_ok_and(|v| v.as_deref() == Some("2"))
    })?;
    assert_eq!(again.stop(), Some(0));
    Ok(())
}

#[test]
fn a_model_that_does_not_fit_is_refused_in_one_line_and_the_version_before_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let manifest = folder.path().join("m.toml");
    let apply = |agent: &Agent, text: &str, model: &[u8]| {
        fs::write(&manifest, text).unwrap();
        fs::write(folder.path().join("isolation-forest.onnx"), model).unwrap();
        agent::failure(&mut agent.command(&["detector", "apply", manifest.to_str().unwrap()])).unwrap()
    };
    let text = fs::read_to_string(examples().join("isolation-forest.toml"))?;
    let model = fs::read(examples().join("isolation-forest.onnx"))?;
    let agent = Agent::start(&["--source", &format!("recording:{}", town()), "--pace", "fast", "--detectors", "none"])?;
    processes::wait_until("rows", || agent.number("SELECT count(*) FROM endpoint_latency").is_ok_and(|rows| rows > 5))?;
    assert_eq!(apply(&agent, &text, &model).0, Some(0));
    let too_slow = format!("{text}[budget]\ntime_per_batch = \"1ns\"\n");
    let too_few = text.replace(", \"latency_p99\"", "");
    let refusals: [(&str, &[u8], &str); 3] = [
        (&too_slow, &model, "its budget is 1ns"),
        (&too_few, &model, "its input has 5 features, the manifest names 4"),
        (&text, b"no model", "this is no ONNX model"),
    ];
    for (text, model, expected) in refusals {
        let (code, error) = apply(&agent, text, model);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(expected) && error.trim_end().lines().count() == 1, "{error}");
        assert_eq!(shown(&agent, "unusual-endpoints", "version")?.as_deref(), Some("1"));
    }
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
