//! What is traced: the text form of a scope and what it names on this machine.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::wire::CgroupKey;

/// One `--scope`. Several add up. The agent itself is never traced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every process.
    All,
    /// Processes of a cgroup and those below it, v1 or v2.
    Cgroup(PathBuf),
    /// Sockets of a network namespace, named by a file such as `/run/netns/x` or `/proc/1/ns/net`.
    Netns(PathBuf),
    /// A process, and with `children` all that it starts.
    Pid {
        /// Process id.
        pid: u32,
        /// Its present and future descendants too.
        children: bool,
    },
    /// Sockets with this port at either end.
    Port(u16),
}

/// A scope that cannot be understood; one line.
#[derive(Debug, thiserror::Error)]
#[error("unknown scope `{0}`: use cgroup:PATH, netns:PATH, pid:N, pid:N+children, port:N or all")]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Scope, ScopeError> {
        let error = || ScopeError(text.to_owned());
        if text == "all" {
            return Ok(Scope::All);
        }
        let (kind, value) = text.split_once(':').filter(|(_, value)| !value.is_empty()).ok_or_else(error)?;
        match kind {
            "cgroup" => Ok(Scope::Cgroup(value.into())),
            "netns" => Ok(Scope::Netns(value.into())),
            "port" => value.parse().map(Scope::Port).map_err(|_| error()),
            "pid" => {
                let number = value.strip_suffix("+children").unwrap_or(value);
                let pid = number.parse().map_err(|_| error())?;
                Ok(Scope::Pid { pid, children: number.len() < value.len() })
            }
            _ => Err(error()),
        }
    }
}

/// The inode of a network namespace file.
pub(crate) fn netns_inode(path: &Path) -> std::io::Result<u32> {
    Ok(fs::metadata(path)?.ino() as u32)
}

/// Every live process.
pub(crate) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Every live descendant of `root`, without it.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in pids() {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // The name in parentheses may hold anything, so fields are counted from the last one.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(pid);
    }
    let (mut found, mut open, mut seen) = (Vec::new(), vec![root], HashSet::from([root]));
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if seen.insert(*child) {
                found.push(*child);
                open.push(*child);
            }
        }
    }
    found
}

/// A cgroup directory and how the kernel names it.
#[derive(Clone, Debug)]
pub(crate) struct Cgroup {
    pub(crate) path: PathBuf,
    pub(crate) key: CgroupKey,
}

/// The cgroups that a path names: itself, or the path below each hierarchy's mount point.
pub(crate) fn cgroups(path: &Path) -> Vec<Cgroup> {
    let mounts = mounts();
    let at = |path: &Path| -> Option<Cgroup> {
        let path = path.canonicalize().ok()?;
        let (_, hierarchy) = mounts
            .iter()
            .filter(|(mount, _)| path.starts_with(mount))
            .max_by_key(|(mount, _)| mount.as_os_str().len())?;
        let id = fs::metadata(&path).ok()?.ino();
        Some(Cgroup { path, key: CgroupKey { id, hierarchy: *hierarchy, pad: 0 } })
    };
    if let Some(cgroup) = at(path) {
        return vec![cgroup];
    }
    let relative = path.strip_prefix("/").unwrap_or(path);
    mounts.iter().filter_map(|(mount, _)| at(&mount.join(relative))).collect()
}

/// Mount points of cgroup hierarchies with the kernel's hierarchy ids (0 is v2).
fn mounts() -> Vec<(PathBuf, u32)> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut found = Vec::new();
    for line in table.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (Some(mount), mut fields) = (left.split(' ').nth(4), right.split(' ')) else { continue };
        let options = match fields.next() {
            Some("cgroup2") => {
                found.push((PathBuf::from(mount), 0));
                continue;
            }
            Some("cgroup") => fields.nth(1).unwrap_or_default(),
            _ => continue,
        };
        let hierarchy = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (id, controllers) = (parts.next()?, parts.next()?);
            let first = controllers.split(',').next().filter(|name| !name.is_empty())?;
            options.split(',').any(|option| option == first).then(|| id.parse::<u32>().ok())?
        });
        found.extend(hierarchy.map(|id| (PathBuf::from(mount), id)));
    }
    found
}

/// Cgroups below each other that are looked into.
pub(crate) const NESTED_MAX: u32 = 16;

/// The processes of a cgroup and those below it.
pub(crate) fn members(path: &Path, depth: u32, found: &mut HashSet<u32>) {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    if depth == 0 {
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            members(&entry.path(), depth - 1, found);
        }
    }
}
