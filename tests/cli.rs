//! The command line without a server: usage, settings and exit codes.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn watershed(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WATERSHED_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).output().unwrap()
}

fn failed(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(output.stdout.is_empty());
    text
}

#[test]
fn no_server_is_exit_code_4_in_one_line() {
    // Port 1 needs privileges to listen on, and nobody does.
    for command in
        [&["query", "-s", "SELECT 1"][..], &["subscribe", "service_map"], &["view", "list"], &["table", "list"]]
    {
        let text = failed(&watershed(command, &[("WATERSHED_SERVER", "127.0.0.1:1")]), 4);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("watershed run"), "{text}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &["query"][..],
        &["query", "a", "-s", "SELECT 1"],
        &["query", "-s", "SELECT 1", "-o", "xml"],
        &["query", "-f", "/nowhere/to/be/found.sql"],
        &["subscribe", "service_map", "--for", "soon"],
        &["run", "--source", "thin air"],
        &["run", "--scope", "planet:earth"],
        &["frobnicate"],
    ] {
        failed(&watershed(arguments, &[]), 2);
    }
}

#[test]
fn listening_for_others_without_a_token_is_refused_in_one_line() {
    let text = failed(&watershed(&["run", "--listen", "0.0.0.0:0", "--source", "recording:x"], &[]), 2);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("--token-file") && text.contains("WATERSHED_TOKEN"), "{text}");
}

#[test]
fn config_show_tells_values_and_origins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watershed.toml");
    std::fs::write(&file, "workers = 2\nnode = \"here\"\n").unwrap();
    let file = file.to_str().unwrap();
    let environment = [("WATERSHED_NODE", "there"), ("WATERSHED_CONFIG", file)];
    let output = watershed(&["config", "show", "--data-budget", "1GiB", "-o", "csv"], &environment);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "data_budget,1GiB,flag --data-budget",
        "node,there,environment WATERSHED_NODE",
        &format!("workers,2,file {file}"),
        "listen,127.0.0.1:7070,default",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
    }
}

#[test]
fn functions_are_listed_without_a_server_and_found_by_a_word() {
    let output = watershed(&["script", "functions", "--search", "NORMALIZE_", "-o", "csv"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(names, ["px_normalize_mysql", "px_normalize_pgsql"], "{text}");
    let all = watershed(&["script", "functions", "-o", "csv"], &[]);
    assert!(all.stdout.len() > 10 * text.len());
}

#[test]
fn an_unknown_key_of_the_file_is_named_with_the_nearest_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watershed.toml");
    std::fs::write(&file, "data_budgt = 1\n").unwrap();
    let text = failed(&watershed(&["config", "show", "--config", file.to_str().unwrap()], &[]), 2);
    assert!(text.contains("unknown key `data_budgt`; did you mean `data_budget`?"), "{text}");
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["run", "query", "subscribe", "view", "script", "table", "record", "doctor", "config", "completion"]
    {
        let output = watershed(&[command, "--help"], &[]);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Example"), "{command}: {text}");
    }
    let script = watershed(&["completion", "bash"], &[]);
    assert!(String::from_utf8(script.stdout).unwrap().contains("subscribe"));
}
