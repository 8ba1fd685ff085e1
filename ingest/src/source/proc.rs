//! What `/proc` says of a process.

use std::fs;

use crate::tables::containers::{container_of, service_of};

/// A process as `/proc` shows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) start_ticks: u64,
    pub(crate) parent: u32,
    pub(crate) comm: String,
    pub(crate) cmdline: String,
    pub(crate) exe: String,
    pub(crate) cgroup: String,
}

const TEXT_MAX: usize = 4096;

/// `None` when the process is gone.
pub(crate) fn read(pid: u32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    // The name is in parentheses and may hold any character.
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let fields: Vec<&str> = stat.get(close + 2..)?.split(' ').collect();
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let cmdline: Vec<u8> = cmdline.into_iter().take(TEXT_MAX).map(|byte| if byte == 0 { b' ' } else { byte }).collect();
    Some(Process {
        start_ticks: fields.get(19)?.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        comm: stat.get(open + 1..close)?.to_owned(),
        cmdline: String::from_utf8_lossy(&cmdline).trim_end().to_owned(),
        exe: fs::read_link(format!("/proc/{pid}/exe"))
            .map(|path| path.to_string_lossy().into_owned())
            .unwrap_or_default(),
        cgroup: cgroup(&fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default()).to_owned(),
    })
}

/// The name that a process has; `None` when it is gone.
pub(crate) fn comm(pid: u32) -> Option<String> {
    let comm = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(comm.strip_suffix(b"\n").unwrap_or(&comm)).into_owned())
}

/// A path with a container in it, else with a systemd service, of several the longest: on mixed hosts a hierarchy may be
/// empty, or be somebody else's.
fn cgroup(text: &str) -> &str {
    let paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths
        .max_by_key(|path| (!container_of(path).is_empty(), !service_of(path).is_empty(), path.len()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_that_knows_the_container_is_read() {
        let id = "0123456789abcdef".repeat(4);
        let text = format!("12:pids:/docker/{id}\n1:name=systemd:/{}\n0::/\n", "long.slice/".repeat(10));
        assert_eq!(cgroup(&text), format!("/docker/{id}"));
        let text = format!("8:pids:/system.slice/web.service\n4:memory:/{}\n0::/\n", "long/".repeat(10));
        assert_eq!(cgroup(&text), "/system.slice/web.service");
        assert_eq!(cgroup("0::/init.scope\n"), "/init.scope");
        assert_eq!(cgroup(""), "");
    }
}
