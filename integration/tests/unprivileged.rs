//! What needs no privileges: mistakes get one line and an exit code, and the server lives on.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use anyhow::Result;
use watershed_integration::agent::{Agent, binary, failure};
use watershed_integration::machine;

/// A command that runs the binary as nobody. The binary is copied to where nobody can read it.
fn as_nobody(folder: &std::path::Path, arguments: &[&str]) -> Command {
    let copy = folder.join("watershed");
    std::fs::copy(binary(), &copy).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]).arg(copy).args(arguments);
    command.current_dir(folder);
    command
}

fn open_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

#[test]
fn run_and_record_say_what_is_missing_as_root() -> Result<()> {
    if !machine::is_root() || !machine::has_commands("run_and_record_say_what_is_missing", &["setpriv"]) {
        println!("SKIPPED run_and_record_say_what_is_missing: it needs root to become nobody");
        return Ok(());
    }
    let folder = open_folder();
    for arguments in [&["run", "--listen", "127.0.0.1:0"][..], &["record", "x.rec", "--for", "1s"]] {
        let (code, stderr) = failure(&mut as_nobody(folder.path(), arguments))?;
        assert_eq!(code, Some(3), "{arguments:?}: {stderr}");
        assert_eq!(stderr.trim().lines().count(), 1, "one line: {stderr}");
        assert!(stderr.contains("root") || stderr.contains("CAP_"), "what to do: {stderr}");
    }
    let (code, _) = failure(&mut as_nobody(folder.path(), &["doctor"]))?;
    assert_eq!(code, Some(3));
    Ok(())
}

#[test]
fn a_command_without_a_server_exits_with_4() -> Result<()> {
    let port = machine::free_port();
    let (code, stderr) = failure(
        Command::new(binary()).args(["query", "-s", "SELECT 1"]).env("WATERSHED_SERVER", format!("127.0.0.1:{port}")),
    )?;
    assert_eq!(code, Some(4), "{stderr}");
    assert_eq!(stderr.trim().lines().count(), 1, "one line: {stderr}");
    Ok(())
}

#[test]
fn mistakes_get_one_line_and_the_server_answers_on() -> Result<()> {
    let recording = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/town.rec");
    let agent = Agent::start(&["--source", &format!("recording:{}", recording.display()), "--pace", "fast"])?;
    let unbounded = "SELECT req_path, count(*) FROM http_events GROUP BY req_path";
    for (arguments, code, told) in [
        (&["query", "service_mup"][..], None, "did you mean `service_map`?"),
        (&["subscribe", "nothing_like_it"], None, "no view or script named `nothing_like_it`"),
        (&["query", "-s", "SELECT latenzy FROM http_events"], Some(2), ":1:8: "),
        (&["subscribe", "-s", unbounded], Some(2), "WHERE time_ > now() - INTERVAL '5 minutes'"),
        (&["query", "-s", "DROP TABLE http_events"], Some(2), "DDL"),
    ] {
        let (ended, stderr) = failure(&mut agent.command(arguments))?;
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
        assert!(code.is_none_or(|code| ended == Some(code)) && ended != Some(0), "{arguments:?}: {ended:?} {stderr}");
    }
    assert!(agent.settled("SELECT count(*) FROM http_events")? > 1_000);
    assert_eq!(agent.stop(), Some(0));
    Ok(())
}
