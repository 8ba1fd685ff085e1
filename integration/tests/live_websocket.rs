//! Needs root: messages that a real WebSocket server and client exchange are counted and sized by who sent them.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::Value;
use watershed_integration::agent::Agent;
use watershed_integration::servers::{self, Server};
use watershed_integration::{broker, machine, processes};

fn server(test: &str) -> Result<Option<(PathBuf, Server)>> {
    if !machine::can_trace(test, &[]) {
        return Ok(None);
    }
    let Some(python) = broker::python() else {
        println!("SKIPPED {test}: the Python libraries are missing, `make test` installs them");
        return Ok(None);
    };
    let server =
        servers::program(std::slice::from_ref(&python), "websocket.py", include_str!("../servers/websocket.py"))?;
    Ok(Some((python, server)))
}

fn client(python: &PathBuf, server: &Server, role: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(server.folder().join("websocket.py")).args([&server.port.to_string(), role]);
    command
}

/// Every kind of message has as many rows and bytes as were said, and there are no others.
fn compare(agent: &Agent, said: &Value, condition: &str) -> Result<()> {
    let mut messages = 0;
    let total = format!("SELECT count(*) FROM websocket_events WHERE {condition}");
    agent.settled(&total)?;
    for (sender, bytes) in [("client", "req_bytes"), ("server", "resp_bytes")] {
        for (kind, opcode) in [("text", 1), ("binary", 2), ("close", 8), ("ping", 9), ("pong", 10)] {
            let Some(expected) = said[sender].get(kind) else { continue };
            let sum = |what: &str| {
                let only = format!("sender = '{sender}' AND opcode = {opcode} AND {condition}");
                agent.number(&format!("SELECT coalesce({what}, 0) FROM websocket_events WHERE {only}"))
            };
            let seen = [sum("count(*)")?, sum("sum(body_size)")?];
            assert_eq!(seen, [expected[0].as_i64().unwrap(), expected[1].as_i64().unwrap()], "{sender} {kind}");
            assert!(sum(&format!("sum({bytes})"))? >= seen[1] + 2 * seen[0], "heads of frames are on the wire too");
            messages += seen[0];
        }
    }
    assert_eq!(agent.number(&total)?, messages, "nothing is invented");
    Ok(())
}

#[test]
fn messages_are_counted_and_sized_by_direction_as_root() -> Result<()> {
    let Some((python, server)) = server("websocket")? else { return Ok(()) };
    let agent = Agent::on_process(server.process.pid(), &[])?;
    let said: Value = serde_json::from_str(&processes::output(&mut client(&python, &server, "client"))?)?;
    compare(&agent, &said, "true")?;
    let of_path =
        "SELECT count(*) FROM websocket_events WHERE path = '/chat?room=1' AND trace_role = 2 AND NOT partial";
    assert_eq!(agent.number(of_path)?, agent.number("SELECT count(*) FROM websocket_events")?);
    let welcome = "SELECT count(*) FROM websocket_events WHERE body = 'welcome' AND sender = 'server'";
    assert_eq!(agent.number(welcome)?, 1, "what shares a segment with the upgrade is seen");
    assert_eq!(
        agent.number("SELECT count(*) FROM websocket_events WHERE body = 'in three parts' AND fragments = 3")?,
        1
    );
    assert_eq!(agent.number("SELECT count(*) FROM websocket_events WHERE close_code = 1011 AND failed")?, 1);
    assert_eq!(agent.number("SELECT count(*) FROM http_events WHERE resp_status = 101")?, 1);
    let losses = agent.query("SELECT * FROM system.losses")?;
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_connection_upgraded_before_the_agent_began_is_found_as_root() -> Result<()> {
    let Some((python, server)) = server("websocket_in_mid_stream")? else { return Ok(()) };
    let mut child = client(&python, &server, "late").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap()?, "connected");
    let agent = Agent::on_process(server.process.pid(), &[])?;
    child.stdin.take().unwrap().write_all(b"\n")?;
    let said: Value = serde_json::from_str(&lines.next().unwrap()?)?;
    assert!(child.wait()?.success());
    compare(&agent, &said, "path = ''")?;
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, 0);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
