//! The allocator of the binary, and when it gives memory back.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// A tenth of the time of a tick is allocation with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const INTERVAL: Duration = Duration::from_secs(5);

thread_local! {
    static LAST: Cell<Instant> = Cell::new(Instant::now());
}

/// Gives back what this thread has free, and what all have freed whole pages of; at most once in a few seconds. By itself
/// the allocator looks only when more is freed, which may be long after something large is over.
pub(crate) fn give_back() {
    let now = Instant::now();
    if now.saturating_duration_since(LAST.get()) < INTERVAL {
        return;
    }
    LAST.set(now);
    // SAFETY: it may be called at any time; it touches what the allocator keeps of this thread and what is free.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
