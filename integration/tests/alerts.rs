//! Alerts of a user's script: raised and cleared in the view `alerts`, and posted to a receiver that fails at first.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::Agent;
use watershed_integration::processes;

fn script(at_least: u32) -> String {
    format!(
        "SELECT req_method, count(*) AS n FROM http_events WHERE time_ > now() - INTERVAL '5 minutes' \
         GROUP BY req_method HAVING count(*) >= {at_least}"
    )
}

/// A receiver that refuses the first message, then takes all; and what it took.
fn receiver() -> Result<(String, Arc<Mutex<Vec<Value>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}/hook", listener.local_addr()?);
    let taken: Arc<Mutex<Vec<Value>>> = Arc::default();
    let received = Arc::clone(&taken);
    std::thread::spawn(move || {
        let mut refuse = true;
        for stream in listener.incoming() {
            serve(stream.unwrap(), &mut refuse, &received);
        }
    });
    Ok((address, taken))
}

/// The requests of one connection.
fn serve(mut stream: TcpStream, refuse: &mut bool, received: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let status = if std::mem::take(refuse) { "503 Service Unavailable" } else { "204 No Content" };
        if status.starts_with('2') {
            received.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        }
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).unwrap();
    }
}

fn write(folder: &Path, file: &str, text: &str) {
    std::fs::create_dir_all(folder).unwrap();
    // Whole or not at all, as an editor writes.
    std::fs::write(folder.join(".partial"), text).unwrap();
    std::fs::rename(folder.join(".partial"), folder.join(file)).unwrap();
}

fn agent(scripts: &Path, more: &[&str]) -> Result<Agent> {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let source = format!("recording:{}", recording.display());
    let flags = ["--source", &source, "--pace", "fast", "--scripts", scripts.to_str().unwrap()];
    Agent::start(&[flags.as_slice(), more].concat())
}

fn of_state<'a>(messages: &'a [Value], state: &str) -> Vec<&'a Value> {
    messages.iter().filter(|message| message["state"] == state).collect()
}

#[test]
fn rows_that_come_are_raised_and_rows_that_go_are_cleared_in_the_view_and_at_the_webhook() -> Result<()> {
    let scripts = tempfile::tempdir()?;
    let folder = scripts.path().join("team/busy");
    write(&folder, "manifest.yaml", "doc: Busy methods.\nalert: true\n");
    write(&folder, "view.sql", &script(1));
    let (address, taken) = receiver()?;
    let agent = agent(scripts.path(), &["--alert-webhook", &address])?;

    let standing = "SELECT count(*) FROM alerts WHERE state = 'raised'";
    processes::wait_until("alerts", || agent.number(standing).is_ok_and(|count| count == 2))?;
    processes::wait_until("messages", || of_state(&taken.lock().unwrap(), "raised").len() >= 2)?;
    {
        let messages = taken.lock().unwrap();
        let get = of_state(&messages, "raised").into_iter().find(|message| message["subject"]["req_method"] == "GET");
        let get = get.expect("GET is busy");
        assert_eq!(get["alert"], "team/busy");
        assert!(get["row"]["n"].as_i64().unwrap() >= 1 && get["since"].as_u64().unwrap() > 0, "{get}");
    }

    write(&folder, "view.sql", &script(1_000_000));
    processes::wait_until("the end of the alerts", || agent.number(standing).is_ok_and(|count| count == 0))?;
    processes::wait_until("their messages", || of_state(&taken.lock().unwrap(), "cleared").len() == 2)?;
    let cleared =
        agent.query("SELECT alert, subject, cleared > raised AS after FROM alerts WHERE state = 'cleared'")?;
    assert_eq!(cleared.len(), 2, "{cleared:?}");
    assert!(cleared.iter().all(|row| row["alert"] == "team/busy"), "{cleared:?}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_script_that_goes_takes_its_alerts_with_it() -> Result<()> {
    let scripts = tempfile::tempdir()?;
    let folder = scripts.path().join("busy");
    write(&folder, "manifest.yaml", "alert: true\n");
    write(&folder, "view.sql", &script(1));
    let agent = agent(scripts.path(), &[])?;
    processes::wait_until("alerts", || agent.number("SELECT count(*) FROM alerts").is_ok_and(|count| count == 2))?;
    std::fs::remove_dir_all(&folder)?;
    processes::wait_until("no alerts", || agent.number("SELECT count(*) FROM alerts").is_ok_and(|count| count == 0))?;
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn alerts_that_stand_outlast_a_restart_and_are_not_raised_again() -> Result<()> {
    let (scripts, state) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let folder = scripts.path().join("team/busy");
    write(&folder, "manifest.yaml", "alert: true\n");
    write(&folder, "view.sql", &script(1));
    let (address, taken) = receiver()?;
    let flags = ["--alert-webhook", &address, "--state", state.path().to_str().unwrap()];
    let standing = "SELECT count(*) FROM alerts WHERE state = 'raised'";
    let count = |state: &str| of_state(&taken.lock().unwrap(), state).len();

    let first = agent(scripts.path(), &flags)?;
    processes::wait_until("messages", || count("raised") == 2)?;
    processes::wait_until("alerts", || first.number(standing).is_ok_and(|count| count == 2))?;
    let since = first.query("SELECT subject, since, raised FROM alerts ORDER BY subject")?;
    assert_eq!(first.stop(), Some(0));

    let second = agent(scripts.path(), &flags)?;
    processes::wait_until("alerts", || second.number(standing).is_ok_and(|count| count == 2))?;
    assert_eq!(second.query("SELECT subject, since, raised FROM alerts ORDER BY subject")?, since);
    processes::wait_until("rows", || second.number("SELECT count(*) FROM http_events").is_ok_and(|count| count > 0))?;
    write(&folder, "view.sql", &script(1_000_000));
    // A row that was not seen again before the script changed is waited for a minute.
    processes::wait_at_most(90, "the end of the alerts", || count("cleared") == 2)?;
    assert_eq!(count("raised"), 2, "{:?}", taken.lock().unwrap());
    assert_eq!(second.stop(), Some(0));
    Ok(())
}
