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

impl Process {
    /// With what the kernel saw of it when its program began. It may be gone since, its id be another's, or be on its way
    /// out: then it has left its cgroups of v1 already.
    pub(crate) fn or_seen(process: Option<Process>, seen: Process) -> Process {
        match process {
            Some(process) if process.start_ticks != seen.start_ticks => seen,
            Some(process) => {
                let cgroup = best_cgroup([seen.cgroup, process.cgroup].into_iter()).unwrap_or_default();
                Process { cgroup, ..process }
            }
            None => seen,
        }
    }
}

/// A path with a container in it, else with a systemd service, of several the longest: on mixed hosts a hierarchy may be
/// empty, or be somebody else's.
fn best_cgroup<T: AsRef<str>>(paths: impl Iterator<Item = T>) -> Option<T> {
    let rank = |path: &str| (!container_of(path).is_empty(), !service_of(path).is_empty(), path.len());
    paths.max_by_key(|path| rank(path.as_ref()))
}

fn cgroup(text: &str) -> &str {
    best_cgroup(text.lines().filter_map(|line| line.splitn(3, ':').nth(2))).unwrap_or_default()
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

    #[test]
    fn what_the_kernel_saw_stands_in_for_a_process_that_is_gone() {
        let id = "0123456789abcdef".repeat(4);
        let of = |start_ticks, cmdline: &str, cgroup: &str| Process {
            start_ticks,
            cmdline: cmdline.to_owned(),
            cgroup: cgroup.to_owned(),
            ..Process::default()
        };
        let seen = || of(7, "", &format!("/docker/{id}"));
        assert_eq!(Process::or_seen(None, seen()), seen());
        assert_eq!(Process::or_seen(Some(of(8, "another", "/")), seen()), seen());
        let leaving = Process::or_seen(Some(of(7, "curl", "/")), seen());
        assert_eq!(leaving, of(7, "curl", &format!("/docker/{id}")));
        let nested = of(7, "curl", &format!("/a/b/c/d/e/docker/{id}"));
        assert_eq!(Process::or_seen(Some(nested), seen()).cgroup, format!("/a/b/c/d/e/docker/{id}"));
    }
}
