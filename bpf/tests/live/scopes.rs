//! What each scope lets through, while others talk too.

use watershed_bpf::{Config, Probe, Scope};

use crate::driver::Driver;
use crate::{config, load};

/// Bytes by the process that moved them.
fn bytes_of(probe: &mut Probe, tgid: u32) -> u64 {
    let mut bytes = 0;
    probe.drain_data(&mut |data| bytes += if data.tgid == tgid { u64::from(data.length) } else { 0 }).unwrap();
    bytes
}

#[test]
fn root_port_scope_sees_both_ends_of_that_port() {
    let mut other = Driver::start("burst", 10);
    let mut driver = Driver::start("burst", 10);
    let scopes = vec![Scope::Port(driver.port)];
    let Some(mut probe) = load(&Config { scopes, ..Config::default() }) else { return };
    for each in [&mut other, &mut driver] {
        each.go();
        each.expect("done");
    }
    let (mut inside, mut outside) = (0, 0);
    let id = driver.child.id();
    probe
        .drain_data(&mut |data| *(if data.tgid == id { &mut inside } else { &mut outside }) += u64::from(data.length))
        .unwrap();
    assert_eq!((inside, outside), (10 * 700 * 4, 0));
}

const FAMILY: &str = "
import subprocess
code = 'import socket,sys; s = socket.create_connection((\"127.0.0.1\", int(sys.argv[1]))); s.sendall(b\"child\"); s.recv(5)'
child = os.fork()
if child == 0:
    subprocess.run([sys.executable, '-c', code, str(l.getsockname()[1])]); os._exit(0)
os.waitpid(child, 0)
";

/// The bytes of grandchildren, started after the load.
fn grandchildren(children: bool) -> Option<u64> {
    let mut driver = Driver::body(FAMILY);
    let scopes = vec![Scope::Pid { pid: driver.child.id(), children }];
    let mut probe = load(&Config { scopes, ..Config::default() })?;
    driver.go();
    driver.expect("done");
    let (mut bytes, own) = (0, driver.child.id());
    probe.drain_data(&mut |data| bytes += if data.tgid == own { 0 } else { u64::from(data.length) }).unwrap();
    Some(bytes)
}

#[test]
fn root_children_are_traced_when_asked_for() {
    let (Some(with), Some(without)) = (grandchildren(true), grandchildren(false)) else { return };
    assert_eq!((with, without), (10, 0));
}

#[test]
fn root_the_agent_is_not_traced_but_its_children_are() {
    let scopes = vec![Scope::Pid { pid: std::process::id(), children: true }];
    let before = Driver::start("burst", 10);
    let Some(mut probe) = load(&Config { scopes, ..Config::default() }) else { return };
    let after = Driver::start("burst", 10);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut own = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    std::io::Write::write_all(&mut own, b"agent").unwrap();
    let mut bytes = std::collections::HashMap::new();
    for mut driver in [before, after] {
        driver.go();
        driver.expect("done");
        let warm = if bytes.is_empty() { 0 } else { 16 };
        probe.drain_data(&mut |data| *bytes.entry(data.tgid).or_insert(0) += u64::from(data.length)).unwrap();
        assert_eq!(bytes.get(&driver.child.id()), Some(&(10 * 700 * 4 + warm)));
    }
    assert!(!bytes.contains_key(&std::process::id()));
}

#[test]
fn root_two_probes_see_the_same() {
    let mut driver = Driver::start("burst", 10);
    let Some(mut one) = load(&config(&driver, false)) else { return };
    let Some(mut two) = load(&config(&driver, true)) else { return };
    driver.go();
    driver.expect("done");
    let id = driver.child.id();
    assert_eq!((bytes_of(&mut one, id), bytes_of(&mut two, id)), (10 * 700 * 4, 10 * 700 * 4));
    drop(one);
    assert_eq!(two.losses().iter().map(|loss| loss.count).sum::<u64>(), 0);
}
