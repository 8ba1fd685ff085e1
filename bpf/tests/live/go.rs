//! Clear text of Go's `crypto/tls`: both ends in one process, goroutines that change threads, connections in wrappers,
//! and one that is older than the probe and is written to first.

use std::collections::BTreeMap;
use std::process::Command;

use watershed_bpf::{Direction, Probe};

use crate::driver::Driver;
use crate::{config, load};

const PROGRAM: &str = include_str!("go/main.go");
const CONNECTIONS: usize = 12;
const ROUNDS: usize = 40;

/// Builds the program; `None`, with the reason printed, where that cannot be done.
fn started(flags: &str) -> Option<(tempfile::TempDir, Driver)> {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("main.go"), folder.path().join("program"));
    std::fs::write(&source, PROGRAM).unwrap();
    let mut command = Command::new("go");
    command.args(["build", "-ldflags", flags, "-o"]).args([&program, &source]).env("GO111MODULE", "off");
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: no Go toolchain: {error}");
            return None;
        }
    }
    let driver = Driver::run(Command::new(program).args([CONNECTIONS.to_string(), ROUNDS.to_string()]));
    Some((folder, driver))
}

/// Clear text by connection and direction, in order.
fn plain(probe: &mut Probe) -> BTreeMap<(u64, bool), String> {
    let mut texts: BTreeMap<(u64, bool), String> = BTreeMap::new();
    let drained = probe.drain_data(&mut |data| {
        let captured = String::from_utf8_lossy(data.captured);
        if data.plain {
            let text = texts.entry((data.cookie, data.direction == Direction::Sent)).or_default();
            assert_eq!(data.position, text.len() as u64, "positions are of the clear text");
            *text += &captured;
        } else {
            assert!(!captured.contains("question"), "the bytes of the socket are ciphertext");
        }
    });
    drained.unwrap();
    texts
}

fn clear_text_is_seen(flags: &str, force_syscall_hooks: bool) {
    let Some((_folder, mut driver)) = started(flags) else { return };
    let Some(mut probe) = load(&config(&driver, force_syscall_hooks)) else { return };
    let found = probe.attach_tls(driver.child.id());
    assert!(found.len() == 1 && found[0].error.is_empty(), "{found:?}");
    driver.go();
    driver.expect("done");

    let mut conversations: BTreeMap<String, usize> = BTreeMap::new();
    for text in plain(&mut probe).into_values() {
        *conversations.entry(text).or_default() += 1;
    }
    let wanted = (0..=CONNECTIONS).map(|number| {
        let text = (0..ROUNDS).map(|round| format!("question {number}.{round} {}\n", "?".repeat(round)));
        (text.collect::<String>(), 4)
    });
    let wanted: BTreeMap<String, usize> = wanted.collect();
    assert!(
        conversations == wanted,
        "asked, echoed, and each seen at both ends: {conversations:?} {:?}",
        probe.losses()
    );
    assert!(probe.losses().iter().all(|loss| loss.count == 0), "{:?}", probe.losses());
}

#[test]
fn root_go_with_symbols() {
    clear_text_is_seen("", false);
}

#[test]
fn root_go_stripped() {
    clear_text_is_seen("-s -w", false);
}

#[test]
fn root_go_by_syscall_hooks() {
    clear_text_is_seen("-s -w", true);
}
