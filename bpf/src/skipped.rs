//! How often the kernel did not run a program because it was running on that processor already.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::{Object, libbpf_sys};

/// Runs that were left out, of all programs; 0 on kernels before 5.12, which do not count them.
pub(crate) fn runs(object: &Object) -> u64 {
    object.progs().filter(|program| program.autoload()).map(|program| of_program(&program)).sum()
}

fn of_program(program: &libbpf_rs::Program<'_>) -> u64 {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut length = size_of_val(&info) as u32;
    // SAFETY: the descriptor is open, and the kernel writes no more than `length` bytes; it is asked for no array.
    let failed = unsafe {
        libbpf_sys::bpf_obj_get_info_by_fd(program.as_fd().as_raw_fd(), (&raw mut info).cast(), &raw mut length)
    };
    if failed == 0 { info.recursion_misses } else { 0 }
}
