//! What this machine lets a test do.

use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether the test can load eBPF programs and has the commands that it needs. Prints why not, so that a skipped
/// test is visible in its output.
#[must_use]
pub fn can_trace(test: &str, commands: &[&str]) -> bool {
    if !is_root() {
        println!("SKIPPED {test}: loading eBPF programs needs root");
        return false;
    }
    if !PathBuf::from("/sys/kernel/btf/vmlinux").exists() {
        println!("SKIPPED {test}: the kernel has no BTF");
        return false;
    }
    has_commands(test, commands)
}

/// Whether all commands are installed; prints which one is not.
#[must_use]
pub fn has_commands(test: &str, commands: &[&str]) -> bool {
    for command in commands {
        if find(command).is_none() {
            println!("SKIPPED {test}: {command} is not installed");
            return false;
        }
    }
    true
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| status.lines().find(|line| line.starts_with("Uid:")).map(|line| line.contains("\t0\t")))
        .unwrap_or(false)
}

/// Where a command lies, also in the folders of system daemons.
#[must_use]
pub fn find(command: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|folder| PathBuf::from(folder).join(command))
        .find(|p| p.is_file())
}

/// Below those that the kernel gives to clients: who waits for a server there could be connected with itself, and clients
/// of other tests could have the port before the server does.
const PORTS: Range<u16> = 10_000..30_000;
/// Where this process begins to look for ports.
static FIRST: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(()) >> 1);
/// Ports that it has looked at.
static TRIED: AtomicU64 = AtomicU64::new(0);

/// A port that nothing listens on, another one each time.
///
/// # Panics
/// When the machine has no free port.
#[must_use]
pub fn free_port() -> u16 {
    let range = u64::from(PORTS.end - PORTS.start);
    let next = || PORTS.start + ((*FIRST + TRIED.fetch_add(1, Ordering::Relaxed)) % range) as u16;
    let is_free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    std::iter::repeat_with(next).take(PORTS.len()).find(is_free).expect("a free port")
}
