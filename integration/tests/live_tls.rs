//! Needs root: what is said through TLS is seen in clear, once, and marked as encrypted.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::Result;
use watershed_integration::agent::Agent;
use watershed_integration::processes::Owned;
use watershed_integration::{machine, processes, servers};

const REQUESTS: i64 = 20;

#[test]
fn requests_through_tls_are_seen_in_clear_as_root() -> Result<()> {
    if !machine::can_trace("requests_through_tls", &["python3", "openssl", "curl"]) {
        return Ok(());
    }
    let python = machine::find("python3").unwrap();
    let server = servers::program(&[python], "tls_server.py", include_str!("../servers/tls_server.py"))?;
    let agent = Agent::on_process(server.process.pid(), &[])?;
    let url = format!("https://127.0.0.1:{}/secret?n=[1-{REQUESTS}]", server.port);
    processes::output(Command::new("curl").args(["-sSk", "--max-time", "30", "-o", "/dev/null", &url]))?;

    let rows = "SELECT count(*) FROM http_events WHERE encrypted AND resp_status = 200 AND trace_role = 2";
    assert_eq!(agent.settled_at(&format!("{rows} AND req_path LIKE '/secret?n=%'"), REQUESTS)?, REQUESTS);
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, REQUESTS, "an exchange appears once");
    assert_eq!(agent.number("SELECT count(DISTINCT req_path) FROM http_events")?, REQUESTS);
    agent.settled("SELECT coalesce(sum(closed), 0) FROM conn_stats")?;
    assert_eq!(agent.number("SELECT count(*) FROM conn_stats WHERE ssl AND protocol = 1 AND sent > 0")?.min(1), 1);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_server_of_gnutls_is_seen_in_clear_as_root() -> Result<()> {
    if !machine::can_trace("server_of_gnutls", &["gnutls-serv", "openssl", "curl"]) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| folder.path().join(name));
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    processes::output(
        Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"])
            .args(["-keyout", key, "-out", certificate]),
    )?;
    let port = machine::free_port();
    let server = Owned::spawn(
        Command::new("gnutls-serv")
            .args(["--http", "--quiet", "--port", &port.to_string()])
            .args(["--x509keyfile", key, "--x509certfile", certificate])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )?;
    processes::wait_for_port(port)?;
    let agent = Agent::on_process(server.pid(), &[])?;
    for number in 1..=REQUESTS {
        let url = format!("https://127.0.0.1:{port}/secret?n={number}");
        processes::output(Command::new("curl").args(["-sSk", "--max-time", "30", "-o", "/dev/null", &url]))?;
    }
    let rows = "SELECT count(*) FROM http_events WHERE encrypted AND resp_status = 200 AND trace_role = 2";
    // Its answers end with their connections, so each waits for the end of one.
    let of_path = format!("{rows} AND req_path LIKE '/secret?n=%'");
    processes::wait_at_most(60, "a row a request", || agent.number(&of_path).is_ok_and(|count| count >= REQUESTS))?;
    assert_eq!(agent.settled_at(&of_path, REQUESTS)?, REQUESTS);
    assert_eq!(agent.number("SELECT count(DISTINCT req_path) FROM http_events")?, REQUESTS);
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, REQUESTS, "an exchange appears once");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

#[test]
fn a_client_of_gnutls_is_seen_in_clear_as_root() -> Result<()> {
    if !machine::can_trace("client_of_gnutls", &["python3", "openssl", "wget", "ldd"]) {
        return Ok(());
    }
    let wget = machine::find("wget").unwrap();
    if !processes::output(Command::new("ldd").arg(&wget))?.contains("libgnutls") {
        println!("SKIPPED client_of_gnutls: wget is not linked with GnuTLS here");
        return Ok(());
    }
    let python = machine::find("python3").unwrap();
    let server = servers::program(&[python], "tls_server.py", include_str!("../servers/tls_server.py"))?;
    let urls: Vec<String> =
        (1..=REQUESTS).map(|number| format!("https://127.0.0.1:{}/secret?n={number}", server.port)).collect();
    // The shell is there when the agent begins; its children are not. The first of them brings the library, whose first
    // moments are not seen; it waits some seconds between its requests, so that it is met.
    let ask = "\"$0\" -q --no-check-certificate -O /dev/null";
    let mut shell = Command::new("sh")
        .args(["-c", &format!("read line; {ask} -w 5 \"$1\" \"$1\"; shift; read line; {ask} \"$@\"")])
        .arg(&wget)
        .arg(format!("https://127.0.0.1:{}/secret?first", server.port))
        .args(&urls)
        .stdin(Stdio::piped())
        .spawn()?;
    let agent = Agent::on_process(shell.id(), &[])?;
    let mut input = shell.stdin.take().unwrap();
    input.write_all(b"go\n")?;
    let attached = "SELECT count(*) FROM probe_status WHERE status = 0 AND tracepoint LIKE '%gnutls%'";
    processes::wait_until("the probe of GnuTLS", || agent.number(attached).is_ok_and(|count| count > 0))?;
    input.write_all(b"go\n")?;
    assert!(shell.wait()?.success());
    let rows = "SELECT count(*) FROM http_events WHERE encrypted AND resp_status = 200 AND trace_role = 1";
    assert_eq!(agent.settled_at(&format!("{rows} AND req_path LIKE '/secret?n=%'"), REQUESTS)?, REQUESTS);
    let asked = "SELECT count(*) FROM http_events WHERE req_path LIKE '/secret?n=%'";
    assert_eq!(agent.number(asked)?, REQUESTS, "an exchange appears once");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}

/// Waits for a line before it loads the library, and for one before it asks.
const LOADER: &str = "import ctypes, sys
sys.stdin.readline()
library = ctypes.CDLL(sys.argv[1])
print('mapped', flush=True)
sys.stdin.readline()
print(library.ask(int(sys.argv[2]), 1, int(sys.argv[3])), flush=True)";

#[test]
fn a_library_mapped_late_with_openssl_inside_is_seen_in_clear_as_root() -> Result<()> {
    if !machine::can_trace("library_mapped_late", &["python3", "openssl", "cc"]) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let [source, library] = ["asker.c", "libasker.so"].map(|name| folder.path().join(name));
    std::fs::write(&source, include_str!("../servers/asker.c"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-D_GNU_SOURCE", "-shared", "-fPIC", "-Wl,--exclude-libs,ALL", "-o"]).args([&library, &source]);
    if let Err(error) = processes::output(compiler.args(["-l:libssl.a", "-l:libcrypto.a"])) {
        println!("SKIPPED library_mapped_late: OpenSSL cannot be linked statically here: {error}");
        return Ok(());
    }
    let python = machine::find("python3").unwrap();
    let server =
        servers::program(std::slice::from_ref(&python), "tls_server.py", include_str!("../servers/tls_server.py"))?;
    let mut client = Owned::spawn(
        Command::new(python)
            .args(["-c", LOADER])
            .arg(&library)
            .args([server.port.to_string(), REQUESTS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped()),
    )?;
    let (mut input, output) = (client.0.stdin.take().unwrap(), client.0.stdout.take().unwrap());
    let mut lines = BufReader::new(output).lines();
    let agent = Agent::on_process(client.pid(), &[])?;
    input.write_all(b"load\n")?;
    assert_eq!(lines.next().unwrap()?, "mapped");
    let attached =
        format!("SELECT count(*) FROM probe_status WHERE status = 0 AND tracepoint = '{}'", library.display());
    processes::wait_until("the probe of the library", || agent.number(&attached).is_ok_and(|count| count == 1))?;
    input.write_all(b"ask\n")?;
    assert_eq!(lines.next().unwrap()?, REQUESTS.to_string());

    let rows = "SELECT count(*) FROM http_events WHERE encrypted AND resp_status = 200 AND trace_role = 1";
    assert_eq!(agent.settled_at(&format!("{rows} AND req_path LIKE '/secret?n=%'"), REQUESTS)?, REQUESTS);
    assert_eq!(agent.number("SELECT count(DISTINCT req_path) FROM http_events")?, REQUESTS);
    assert_eq!(agent.number("SELECT count(*) FROM http_events")?, REQUESTS, "an exchange appears once");
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
