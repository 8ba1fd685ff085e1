//! Sockets that are older than the probe get their cookies, which some programs can only read. A cookie comes into being
//! when somebody asks for it, so each socket is asked through a descriptor that the agent has for a moment. (Iterators over
//! files could do it inside the kernel, until Linux 6.18 distrusted what they find: `R1 type=untrusted_ptr_`.)

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::scope::{NESTED_MAX, Scope, cgroups, descendants, members, netns_inode, pids};

/// Goes once through the sockets of processes in scope. An error says how many could not be asked, and why.
pub(crate) fn give_cookies(scopes: &[Scope]) -> io::Result<()> {
    let (mut refused, mut reason) = (0, None);
    for pid in processes(scopes).into_iter().filter(|pid| *pid != std::process::id()) {
        for error in ask(pid) {
            // A process may have ended, or closed the descriptor, meanwhile.
            if !matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EBADF)) {
                (refused, reason) = (refused + 1, Some(error));
            }
        }
    }
    match reason {
        Some(error) => {
            Err(io::Error::other(format!("{refused} sockets could not be asked for their cookies: {error}")))
        }
        None => Ok(()),
    }
}

/// Why sockets of a process could not be asked.
fn ask(pid: u32) -> Vec<io::Error> {
    let sockets = sockets(pid);
    if sockets.is_empty() {
        return Vec::new();
    }
    // SAFETY: the call takes numbers and gives a descriptor, which nobody else has.
    let process = unsafe { owned(libc::syscall(libc::SYS_pidfd_open, pid, 0)) };
    match process {
        Ok(process) => sockets.into_iter().filter_map(|socket| cookie_of(&process, socket).err()).collect(),
        Err(error) => vec![error],
    }
}

fn cookie_of(process: &OwnedFd, socket: i32) -> io::Result<u64> {
    // SAFETY: as above.
    let socket = unsafe { owned(libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), socket, 0))? };
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `cookie`, and how many to `length`.
    let failed = unsafe {
        let cookie = (&raw mut cookie).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_COOKIE, cookie, &raw mut length)
    };
    if failed < 0 { Err(io::Error::last_os_error()) } else { Ok(cookie) }
}

/// # Safety
///
/// What is not negative is a descriptor that nobody else has.
unsafe fn owned(descriptor: libc::c_long) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as promised by the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

/// Descriptors of a process that are sockets.
fn sockets(pid: u32) -> Vec<i32> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let is_socket = |path: &Path| fs::read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"));
    let sockets = descriptors.filter(|entry| is_socket(&entry.path()));
    sockets.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn processes(scopes: &[Scope]) -> HashSet<u32> {
    let mut found = HashSet::new();
    for scope in scopes {
        match scope {
            Scope::All | Scope::Port(_) => found.extend(pids()),
            Scope::Netns(path) => {
                let wanted = netns_inode(path).ok();
                let is_within = |pid: &u32| netns_inode(Path::new(&format!("/proc/{pid}/ns/net"))).ok() == wanted;
                found.extend(pids().filter(is_within));
            }
            Scope::Cgroup(path) => {
                cgroups(path).iter().for_each(|cgroup| members(&cgroup.path, NESTED_MAX, &mut found))
            }
            Scope::Pid { pid, children } => {
                found.insert(*pid);
                found.extend(children.then(|| descendants(*pid)).into_iter().flatten());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn sockets_of_processes_in_scope_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let own = std::process::id();
        assert!(sockets(own).contains(&listener.as_raw_fd()));
        assert!(ask(own).is_empty(), "each has a cookie");
        let netns = Scope::Netns("/proc/self/ns/net".into());
        assert!(processes(&[netns]).contains(&own));
        assert_eq!(processes(&[Scope::Pid { pid: own, children: false }]), HashSet::from([own]));
        assert!(processes(&[Scope::Port(1)]).len() > 1);
    }
}
