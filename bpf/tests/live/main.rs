//! On the live kernel, scoped to a child process of the test. Needs root; prints why it skips without.
#![allow(clippy::unwrap_used, missing_docs)]

mod driver;
mod go;
mod processes;
mod scopes;
mod sockets;
mod tls;

use driver::Driver;
use watershed_bpf::{Config, Direction, Lifecycle, Probe, Scope};

fn load(config: &Config) -> Option<Probe> {
    match Probe::load(config) {
        Ok(probe) => Some(probe),
        Err(watershed_bpf::Error::NotPermitted { what, .. }) => {
            println!("skipped: {what}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn config(driver: &Driver, force_syscall_hooks: bool) -> Config {
    let scopes = vec![Scope::Pid { pid: driver.child.id(), children: true }];
    Config { scopes, force_syscall_hooks, ..Config::default() }
}

fn content_is_seen(force: bool) {
    let mut driver = Driver::start("content", 0);
    let Some(mut probe) = load(&config(&driver, force)) else { return };
    driver.go();
    driver.expect("done");
    let (mut sent, mut received, mut unseen) = (Vec::new(), Vec::new(), 0);
    let mut positions = std::collections::HashMap::new();
    probe
        .drain_data(&mut |data| {
            let next = positions.entry((data.cookie, data.direction)).or_insert(0);
            assert_eq!(data.position, *next);
            *next += u64::from(data.length);
            if data.unseen {
                unseen += data.length;
                return;
            }
            let content = if data.direction == Direction::Sent { &mut sent } else { &mut received };
            content.push(String::from_utf8_lossy(data.captured).into_owned());
        })
        .unwrap();
    for word in ["older", "HEAD-BODY-END", "written", "vector"] {
        // The client and the server are in scope, so each message is sent and received twice.
        assert_eq!(sent.iter().filter(|text| *text == word).count(), 2, "{word} {sent:?}");
        assert_eq!(received.iter().filter(|text| *text == word).count(), 2, "{word} {received:?}");
    }
    assert_eq!(unseen, 5000);
    assert!(probe.losses().iter().all(|loss| loss.count == 0), "{:?}", probe.losses());
}

#[test]
fn root_content_positions_peek_and_sendfile() {
    content_is_seen(false);
}

#[test]
fn root_content_by_syscall_hooks() {
    content_is_seen(true);
}

fn short_connections(force: bool) {
    let mut driver = Driver::start("short", 2000);
    let Some(mut probe) = load(&config(&driver, force)) else { return };
    driver.go();
    driver.expect("done");
    drop(driver);
    let (mut opens, mut closes, mut bytes, mut exits) = (0, 0, 0, 0);
    let mut data = 0;
    probe
        .drain_lifecycle(&mut |event| match event {
            Lifecycle::Open(connection) => opens += u32::from(!connection.opened_before_start),
            Lifecycle::Close(connection, totals, _) if !connection.opened_before_start => {
                closes += 1;
                bytes += totals.sent_bytes + totals.received_bytes;
            }
            Lifecycle::Exit { exit_code, .. } => exits += exit_code,
            Lifecycle::Close(..) | Lifecycle::Exec { .. } | Lifecycle::Fork { .. } => {}
        })
        .unwrap();
    probe.drain_data(&mut |event| data += u64::from(event.length)).unwrap();
    assert_eq!((opens, closes, bytes, exits), (4000, 4000, 2000 * 16, 9), "{:?}", probe.losses());
    assert_eq!(data, 2000 * 16);
}

#[test]
fn root_short_connections_all_open_and_close() {
    short_connections(false);
}

#[test]
fn root_short_connections_by_syscall_hooks() {
    short_connections(true);
}

#[test]
fn root_closes_that_found_the_ring_full_stay_in_the_map() {
    let mut driver = Driver::start("short", 2000);
    let Some(mut probe) = load(&Config { lifecycle_ring_bytes: 65536, ..config(&driver, false) }) else { return };
    driver.go();
    driver.expect("done");
    drop(driver);
    let (mut closed, mut bytes) = (0, 0);
    let mut add = |connection: &watershed_bpf::Connection, totals: &watershed_bpf::Totals| {
        if totals.closed && !connection.opened_before_start {
            closed += 1;
            bytes += totals.sent_bytes + totals.received_bytes;
        }
    };
    probe
        .drain_lifecycle(&mut |event| {
            if let Lifecycle::Close(connection, totals, _) = event {
                add(&connection, &totals);
            }
        })
        .unwrap();
    probe.for_each_connection(&mut add).unwrap();
    assert_eq!((closed, bytes), (4000, 2000 * 16));
    assert!(probe.losses().iter().any(|loss| loss.reason == "lifecycle_ring_full" && loss.count > 0));
}

#[test]
fn root_small_ring_loses_exactly_what_it_counts() {
    let mut driver = Driver::start("burst", 2000);
    let Some(mut probe) = load(&Config { ring_bytes: 65536, ..config(&driver, false) }) else { return };
    driver.go();
    driver.expect("done");
    let mut delivered = 0;
    probe.drain_data(&mut |event| delivered += u64::from(event.length)).unwrap();
    let lost: u64 = probe.losses().iter().filter(|loss| !loss.content_only).map(|loss| loss.bytes).sum();
    let (mut passed, mut lost_by_connection) = (0, 0);
    probe
        .for_each_connection(&mut |_, totals| {
            passed += totals.sent_bytes + totals.received_bytes;
            lost_by_connection += totals.lost_sent + totals.lost_received;
        })
        .unwrap();
    assert!(lost > 0);
    assert_eq!(passed, 2000 * 700 * 4);
    assert_eq!(delivered + lost, passed);
    assert_eq!(lost, lost_by_connection);
}

/// Bytes of the driver's burst that each scope sees.
fn burst_bytes(driver: &mut Driver, scope: Scope) -> Option<u64> {
    let mut probe = load(&Config { scopes: vec![scope], ..Config::default() })?;
    driver.go();
    driver.expect("done");
    let mut bytes = 0;
    probe.drain_data(&mut |event| bytes += u64::from(event.length)).unwrap();
    Some(bytes)
}

#[test]
fn root_cgroup_v1_scope_sees_its_members_only() {
    let path = std::path::PathBuf::from(format!("/sys/fs/cgroup/pids/watershed-bpf-{}", std::process::id()));
    if std::fs::create_dir(&path).is_err() {
        println!("skipped: no writable cgroup v1 hierarchy at /sys/fs/cgroup/pids");
        return;
    }
    let mut outside = Driver::start("burst", 10);
    let mut inside = Driver::start("burst", 10);
    std::fs::write(path.join("cgroup.procs"), inside.child.id().to_string()).unwrap();
    let seen_outside = burst_bytes(&mut outside, Scope::Cgroup(path.clone()));
    let seen_inside = burst_bytes(&mut inside, Scope::Cgroup(path.clone()));
    drop(inside);
    let _ = std::fs::remove_dir(&path);
    if let (Some(outside), Some(inside)) = (seen_outside, seen_inside) {
        assert_eq!((outside, inside), (0, 10 * 700 * 4));
    }
}

#[test]
fn root_namespace_scope_sees_its_sockets() {
    let mut driver = Driver::start_apart("burst", 10);
    let own = Scope::Netns(format!("/proc/{}/ns/net", driver.child.id()).into());
    let Some(mut probe) = load(&Config { scopes: vec![own], ..Config::default() }) else { return };
    driver.go();
    driver.expect("done");
    let (mut bytes, child) = (0, driver.child.id());
    probe.drain_data(&mut |event| bytes += if event.tgid == child { u64::from(event.length) } else { 0 }).unwrap();
    assert_eq!(bytes, 10 * 700 * 4);
}

#[test]
fn root_muting_strangers_changes_nothing() {
    let mut driver = Driver::start("short", 10);
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    for cookie in 0..3 {
        probe.mute(cookie);
    }
    driver.go();
    driver.expect("done");
    let mut events = 0;
    probe.drain_data(&mut |_| events += 1).unwrap();
    assert_eq!(events, 40);
}

#[test]
fn root_a_refused_load_says_what_libbpf_said() {
    match Probe::load(&Config { connections: u32::MAX, ..Config::default() }) {
        Err(watershed_bpf::Error::NotPermitted { what, .. }) => println!("skipped: {what}"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("connections") && !text.contains('\n'), "{text}");
        }
        Ok(_) => panic!("a map of 2^32 connections was created"),
    }
}
