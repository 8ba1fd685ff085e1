//! Needs root: real servers and real clients; every exchange is compared with the server's own access log.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use watershed_integration::agent::{Agent, integer};
use watershed_integration::servers::{self, Logged, Server};
use watershed_integration::{machine, processes};

/// Every method, status and way of sending a body that curl knows, on routes that all servers share.
fn curl_everything(server: &Server) -> Result<usize> {
    let upload = server.folder().join("upload.bin");
    std::fs::write(&upload, vec![b'z'; 70_000])?;
    let upload = format!("@{}", upload.display());
    let calls: Vec<(&str, Vec<&str>)> = vec![
        ("/first", vec![]),
        ("/query?a=1&b=%20x", vec![]),
        ("/missing", vec![]),
        ("/large", vec![]),
        ("/slow/one", vec![]),
        ("/head", vec!["--head"]),
        ("/post", vec!["--data", "name=value"]),
        ("/post/large", vec!["--data-binary", &upload, "-H", "Expect:"]),
        ("/post/continue", vec!["--data-binary", &upload, "-H", "Expect: 100-continue"]),
        ("/post/chunked", vec!["--data-binary", &upload, "-H", "Transfer-Encoding: chunked", "-H", "Expect:"]),
        ("/put", vec!["-X", "PUT", "--data", "x"]),
        ("/patch", vec!["-X", "PATCH", "--data", "xyz"]),
        ("/delete", vec!["-X", "DELETE"]),
        ("/options", vec!["-X", "OPTIONS"]),
        ("/compressed", vec!["--compressed"]),
    ];
    for (path, flags) in &calls {
        processes::output(
            Command::new("curl").args(["-s", "-S", "-o", "/dev/null"]).args(flags).arg(server.url(path)),
        )?;
    }
    // Three requests on one connection.
    let (one, two, three) = (server.url("/keep/1"), server.url("/keep/2"), server.url("/keep/3"));
    processes::output(Command::new("curl").args(["-s", "-S", &one, &two, &three]))?;
    Ok(calls.len() + 3)
}

fn check(server: &Server) -> Result<()> {
    let agent = Agent::on_process(server.process.pid(), &[])?;
    let calls = curl_everything(server)?;
    let seen = agent.settled_at("SELECT count(*) FROM http_events", calls as i64)?;
    let rows = agent.query(
        "SELECT req_method, req_path, resp_status, resp_body_size, latency, partial, trace_role FROM http_events",
    )?;
    let mut observed: Vec<Logged> = rows
        .iter()
        .map(|row| Logged {
            method: row["req_method"].as_str().unwrap().to_owned(),
            path: row["req_path"].as_str().unwrap().to_owned(),
            status: integer(&row["resp_status"]).unwrap(),
            body_bytes: integer(&row["resp_body_size"]).unwrap(),
        })
        .collect();
    let mut logged = server.log()?;
    observed.sort();
    logged.sort();
    assert_eq!(logged.len(), calls, "the server saw every call");
    assert_eq!(observed, logged);
    assert_eq!(seen as usize, calls);
    for row in &rows {
        assert_eq!(integer(&row["trace_role"]), Some(2), "{row}");
        let latency = integer(&row["latency"]).unwrap();
        let slow = row["req_path"].as_str().unwrap().starts_with("/slow");
        assert!(latency > if slow { 50_000_000 } else { 0 }, "{row}");
    }
    let losses = agent.query("SELECT * FROM system.losses")?;
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn python_http_server_as_root() -> Result<()> {
    if !machine::can_trace("python_http_server", &["python3", "curl"]) {
        return Ok(());
    }
    let python = machine::find("python3").unwrap();
    check(&servers::program(&[python], "plain.py", include_str!("../servers/plain.py"))?)
}

#[test]
fn aiohttp_as_root() -> Result<()> {
    let cache = std::env::var("WATERSHED_CACHE").unwrap_or_default();
    let python = PathBuf::from(cache).join("venv/bin/python");
    if !machine::can_trace("aiohttp", &["curl"]) {
        return Ok(());
    }
    if !python.exists() {
        println!("SKIPPED aiohttp: {} is missing, `make test` installs it", python.display());
        return Ok(());
    }
    check(&servers::program(&[python], "asynchronous.py", include_str!("../servers/asynchronous.py"))?)
}

#[test]
fn node_as_root() -> Result<()> {
    if !machine::can_trace("node", &["node", "curl"]) {
        return Ok(());
    }
    check(&servers::program(&[machine::find("node").unwrap()], "node.js", include_str!("../servers/node.js"))?)
}

#[test]
fn go_as_root() -> Result<()> {
    if !machine::can_trace("go", &["go", "curl"]) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("main.go"), include_str!("../servers/main.go"))?;
    let program = folder.path().join("server");
    processes::output(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(folder.path().join("main.go"))
            .env("GOFLAGS", "-mod=mod")
            .env("GO111MODULE", "off"),
    )?;
    check(&servers::executable(&program)?)
}

#[test]
fn apache_as_root() -> Result<()> {
    if !machine::can_trace("apache", &["apache2", "ab"]) {
        return Ok(());
    }
    let server = servers::apache()?;
    let agent = Agent::on_process(server.process.pid(), &[])?;
    processes::output(Command::new("ab").args(["-q", "-k", "-n", "2000", "-c", "20", &server.url("/1k.txt")]))?;
    processes::output(Command::new("curl").args(["-s", &server.url("/none")]))?;
    processes::output(Command::new("curl").args(["-s", &server.url("/100k.txt")]))?;
    agent.settled_at("SELECT count(*) FROM http_events", 2002)?;
    let rows = agent.query(
        "SELECT req_method, req_path, resp_status, resp_body_size, count(*) AS n FROM http_events \
         GROUP BY req_method, req_path, resp_status, resp_body_size",
    )?;
    let mut observed: Vec<(String, i64, i64, i64)> = rows
        .iter()
        .map(|row| {
            let number = |column: &str| integer(&row[column]).unwrap();
            (row["req_path"].as_str().unwrap().to_owned(), number("resp_status"), number("resp_body_size"), number("n"))
        })
        .collect();
    observed.sort();
    let mut logged: Vec<(String, i64, i64, i64)> = Vec::new();
    for line in server.log()? {
        match logged.iter_mut().find(|(path, status, ..)| *path == line.path && *status == line.status) {
            Some((.., count)) => *count += 1,
            None => logged.push((line.path, line.status, line.body_bytes, 1)),
        }
    }
    logged.sort();
    assert_eq!(observed, logged);
    assert_eq!(logged.iter().find(|(path, ..)| path == "/1k.txt").map(|(.., count)| *count), Some(2000));
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
