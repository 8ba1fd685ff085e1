//! A socket that the kernel's connection tracking writes to.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Multicast group of new entries, as a bit (`NF_NETLINK_CONNTRACK_NEW`).
const GROUP_NEW: u32 = 1;
/// Fills up between two reads only when some ten thousand connections begin.
const BUFFER_BYTES: libc::c_int = 8 << 20;

/// A socket that never blocks and that is told of every new entry of this network namespace, a netlink message a read.
/// A read that fails with `ENOBUFS` says that some were lost.
///
/// # Errors
/// When the kernel tracks no connections, or this process has no right to ask.
pub fn conntrack() -> io::Result<File> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers are passed.
    let descriptor = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and has no other owner.
    let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // SAFETY: all zero is a valid address.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = GROUP_NEW;
    let bytes = BUFFER_BYTES;
    // SAFETY: both pointers are to values of the lengths given, which outlive the calls.
    let bound = unsafe {
        let (size, length) = (size_of::<libc::c_int>() as u32, size_of::<libc::sockaddr_nl>() as u32);
        // Needs a right that may be missing; then the buffer is the default, smaller one.
        let buffer = (&raw const bytes).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, buffer, size);
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length)
    };
    if bound < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(File::from(socket))
}
