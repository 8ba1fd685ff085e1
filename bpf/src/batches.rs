//! Reads a whole hash map in few system calls.
//!
//! libbpf-rs takes a batch that is not full for the last one; the kernel also ends a batch early when the next bucket
//! does not fit, so that whole parts of a large map would stay unread.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use libbpf_rs::{MapCore, MapHandle, libbpf_sys};

const ENTRIES: u32 = 1024;
/// More entries than one bucket ever holds.
const ENTRIES_LIMIT: u32 = 1 << 20;

/// Hands out every value of a hash map. Entries added or deleted meanwhile may be missed.
pub(crate) fn for_each_value(map: &MapHandle, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let (key, value) = (map.key_size() as usize, map.value_size() as usize);
    let mut entries = ENTRIES.min(map.max_entries()).max(1);
    let mut keys = vec![0u8; key * entries as usize];
    let mut values = vec![0u8; value * entries as usize];
    // The cursor of a hash map is the number of a bucket.
    let (mut at, mut next, mut started) = (0u32, 0u32, false);
    loop {
        let mut count = entries;
        // SAFETY: the cursors are u32, as hash maps want them, and both buffers hold `count` entries.
        let failed = unsafe {
            libbpf_sys::bpf_map_lookup_batch(
                map.as_fd().as_raw_fd(),
                if started { (&raw mut at).cast() } else { ptr::null_mut() },
                (&raw mut next).cast(),
                keys.as_mut_ptr().cast(),
                values.as_mut_ptr().cast(),
                &raw mut count,
                ptr::null(),
            )
        };
        let error = (failed != 0).then(io::Error::last_os_error);
        match error.as_ref().and_then(io::Error::raw_os_error) {
            Some(libc::EINTR) => continue,
            Some(libc::ENOSPC) if entries < ENTRIES_LIMIT => {
                entries *= 2;
                keys.resize(key * entries as usize, 0);
                values.resize(value * entries as usize, 0);
                continue;
            }
            None | Some(libc::ENOENT) => {}
            Some(_) => return error.map_or(Ok(()), Err),
        }
        values.chunks_exact(value).take(count as usize).for_each(&mut *each);
        if error.is_some() {
            return Ok(());
        }
        (at, started) = (next, true);
    }
}
