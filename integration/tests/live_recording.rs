//! Needs root to record: a recording of live traffic gives the same tables each time it is replayed.
#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use watershed_integration::agent::{self, Agent};
use watershed_integration::processes::{self, Owned};
use watershed_integration::{machine, servers};

#[test]
fn a_recording_replays_to_the_same_tables_as_root() -> Result<()> {
    if !machine::can_trace("a_recording_replays", &["nginx", "ab"]) {
        return Ok(());
    }
    let server = servers::nginx(false)?;
    let file = server.folder().join("load.rec");
    let scope = format!("pid:{}+children", server.process.pid());
    let mut recorder = Owned::spawn(Command::new(agent::binary()).arg("record").arg(&file).args(["--scope", &scope]))?;
    processes::wait_until("the recording's file", || file.exists())?;
    std::thread::sleep(Duration::from_secs(2));
    processes::output(Command::new("ab").args(["-q", "-k", "-n", "700", "-c", "7", &server.url("/1k.txt")]))?;
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(recorder.stop(), Some(0));

    let source = format!("recording:{}", file.display());
    let everything = "SELECT * FROM http_events ORDER BY time_, local_port, remote_port";
    let mut answers = Vec::new();
    for pace in ["fast", "fast", "recorded"] {
        let agent = Agent::start(&["--source", &source, "--pace", pace])?;
        processes::wait_until("all exchanges", || {
            agent.number("SELECT count(*) FROM http_events").is_ok_and(|count| count == 700)
        })?;
        agent.settled("SELECT coalesce(sum(sent), 0) FROM conn_stats")?;
        answers.push((agent.query(everything)?, agent.number("SELECT sum(sent) FROM conn_stats")?));
        assert_eq!(agent.stop(), Some(0));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);

    let whole = std::fs::read(&file)?;
    let cut = server.folder().join("cut.rec");
    std::fs::write(&cut, &whole[..whole.len() - whole.len() / 3])?;
    let agent = Agent::start(&["--source", &format!("recording:{}", cut.display()), "--pace", "fast"])?;
    let kept = agent.settled("SELECT count(*) FROM http_events")?;
    assert!((1..700).contains(&kept), "a cut recording gives what its whole blocks hold, not {kept}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
