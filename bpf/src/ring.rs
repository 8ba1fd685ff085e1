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

/// So much is read before the kernel is told: its producers read the position with every record that they write.
const RELEASED_BYTES: u64 = 64 << 10;

/// One BPF ring buffer, read in place; only a record that wraps is copied.
pub(crate) struct Ring {
    consumer: Mapping,
    producer: Mapping,
    bytes: usize,
    wrapped: Vec<u8>,
    /// The last drain stopped at a record that was being written.
    stopped: bool,
    /// Where the next drain stops, if it was said.
    bound: Option<u64>,
}

impl Ring {
    pub(crate) fn new(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Ring> {
        let consumer = Mapping::new(fd, page(), true, 0)?;
        // The kernel offers the data pages twice in a row; each mapping of a page counts as resident memory.
        let producer = Mapping::new(fd, page() + bytes, false, page())?;
        Ok(Ring { consumer, producer, bytes, wrapped: Vec::new(), stopped: false, bound: None })
    }

    /// Whether the last drain left behind what had been written when it began, since something before it was not.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// The next drain stops at what has been written by now, though more is there when it begins.
    pub(crate) fn bound(&mut self) {
        // SAFETY: the position is an aligned u64 at the start of its page; the kernel writes it, we only load.
        let produced = unsafe { AtomicU64::from_ptr(self.producer.pointer.as_ptr().cast()) };
        self.bound = Some(produced.load(Ordering::Acquire));
    }

    /// Hands every finished record out, once; stops at what had been written when it began.
    pub(crate) fn drain(&mut self, each: &mut dyn FnMut(&[u8])) -> usize {
        // SAFETY: both positions are aligned u64 at the start of their pages.
        let consumed = unsafe { AtomicU64::from_ptr(self.consumer.pointer.as_ptr().cast()) };
        // SAFETY: as above; the kernel writes it, we only load.
        let produced = unsafe { AtomicU64::from_ptr(self.producer.pointer.as_ptr().cast()) };
        // SAFETY: the data pages follow the producer page.
        let base = unsafe { self.producer.pointer.as_ptr().add(page()) };
        let end = self.bound.take().unwrap_or_else(|| produced.load(Ordering::Acquire));
        let mut at = consumed.load(Ordering::Relaxed);
        let (mut released, mut records) = (at, 0);
        self.stopped = false;
        while at < end {
            let offset = (at & (self.bytes as u64 - 1)) as usize;
            // SAFETY: record headers are 8-aligned and inside the data pages.
            let header = unsafe { AtomicU32::from_ptr(base.add(offset).cast()) }.load(Ordering::Acquire);
            if header & BUSY != 0 {
                self.stopped = true;
                break;
            }
            let length = (header & !(BUSY | DISCARD)) as usize;
            if header & DISCARD == 0 {
                let start = (offset + HEADER) & (self.bytes - 1);
                let straight = length.min(self.bytes - start);
                // SAFETY: a committed record stays as it is until the consumer position passes it, and this part of
                // it ends inside the data pages.
                let first = unsafe { std::slice::from_raw_parts(base.add(start), straight) };
                if straight == length {
                    each(first);
                } else {
                    self.wrapped.clear();
                    self.wrapped.extend_from_slice(first);
                    // SAFETY: the rest of the same record lies at the start of the data pages.
                    self.wrapped.extend_from_slice(unsafe { std::slice::from_raw_parts(base, length - straight) });
                    each(&self.wrapped);
                }
                records += 1;
            }
            at += ((length + HEADER + 7) & !7) as u64;
            if at - released >= RELEASED_BYTES {
                consumed.store(at, Ordering::Release);
                released = at;
            }
        }
        if at > released {
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
        // SAFETY: `struct live` is three aligned u32 at the start of the page.
        unsafe { AtomicU32::from_ptr(self.0.pointer.as_ptr().cast::<u32>().add(index)) }
    }

    pub(crate) fn set_capture_bytes(&self, bytes: u32) {
        self.word(0).store(bytes, Ordering::Release);
    }

    pub(crate) fn bump_mutes(&self) {
        self.word(1).fetch_add(1, Ordering::AcqRel);
    }

    /// TLS libraries are attached: transfers are looked at for the calls that they belong to.
    pub(crate) fn use_tls(&self) {
        self.word(2).store(1, Ordering::Release);
    }
}

// SAFETY: everything behind the shared reference is atomic.
unsafe impl Sync for Live {}
