//! What this machine lets a test do.

use std::path::PathBuf;

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

/// A loopback port that nothing listens on.
///
/// # Panics
/// When the machine has no free port.
#[must_use]
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free loopback port").port()
}
