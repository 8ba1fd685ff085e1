//! Memory shared with the kernel: ring buffers read in place, and the mmapped global that steers the programs.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const BUSY: u32 = 1 << 31;
const DISCARD: u32 = 1 << 30;
const HEADER: usize = 8;

struct Mapping {
    pointer: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is plain shared memory, owned by this value and reached by atomics or by `&mut`.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, length: usize, writable: bool, offset: usize) -> io::Result<Mapping> {
        let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        // SAFETY: a fresh shared mapping of a descriptor that is open.
        let pointer = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                protection,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if pointer == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { pointer: NonNull::new(pointer.cast()).expect("mmap never maps page 0"), length })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped.
        unsafe { libc::munmap(self.pointer.as_ptr().cast(), self.length) };
    }
}

fn page() -> usize {
    // SAFETY: sysconf has no preconditions.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// One BPF ring buffer, read without copying.
pub(crate) struct Ring {
    consumer: Mapping,
    producer: Mapping,
    mask: u64,
}

impl Ring {
    pub(crate) fn new(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Ring> {
        let consumer = Mapping::new(fd, page(), true, 0)?;
        // The kernel maps the data pages twice in a row, so a record that wraps is contiguous.
        let producer = Mapping::new(fd, page() + 2 * bytes, false, page())?;
        Ok(Ring { consumer, producer, mask: bytes as u64 - 1 })
    }

    /// Hands every finished record out, once; stops at what had been written when it began.
    pub(crate) fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> usize {
        // SAFETY: both positions are aligned u64 at the start of their pages.
        let consumed = unsafe { AtomicU64::from_ptr(self.consumer.pointer.as_ptr().cast()) };
        // SAFETY: as above; the kernel writes it, we only load.
        let produced = unsafe { AtomicU64::from_ptr(self.producer.pointer.as_ptr().cast()) };
        // SAFETY: the data pages follow the producer page.
        let base = unsafe { self.producer.pointer.as_ptr().add(page()) };
        let end = produced.load(Ordering::Acquire);
        let mut at = consumed.load(Ordering::Relaxed);
        let mut records = 0;
        while at < end {
            let offset = (at & self.mask) as usize;
            // SAFETY: record headers are 8-aligned and inside the data pages.
            let header = unsafe { AtomicU32::from_ptr(base.add(offset).cast()) }.load(Ordering::Acquire);
            if header & BUSY != 0 {
                break;
            }
            let length = (header & !(BUSY | DISCARD)) as usize;
            if header & DISCARD == 0 {
                // SAFETY: a committed record stays as it is until the consumer position passes it.
                each(unsafe { std::slice::from_raw_parts(base.add(offset + HEADER), length) });
                records += 1;
            }
            at += ((length + HEADER + 7) & !7) as u64;
            consumed.store(at, Ordering::Release);
        }
        records
    }
}

/// The `live` global of the programs.
pub(crate) struct Live(Mapping);

impl Live {
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Live> {
        Ok(Live(Mapping::new(fd, page(), true, 0)?))
    }

    fn word(&self, index: usize) -> &AtomicU32 {
        // SAFETY: `struct live` is two aligned u32 at the start of the page.
        unsafe { AtomicU32::from_ptr(self.0.pointer.as_ptr().cast::<u32>().add(index)) }
    }

    pub(crate) fn set_capture_bytes(&self, bytes: u32) {
        self.word(0).store(bytes, Ordering::Release);
    }

    pub(crate) fn bump_mutes(&self) {
        self.word(1).fetch_add(1, Ordering::AcqRel);
    }
}

// SAFETY: everything behind the shared reference is atomic.
unsafe impl Sync for Live {}
