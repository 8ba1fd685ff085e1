//! The only place with clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Length of a tick.
pub(crate) const TICK_MS: u64 = 100;

/// The three clocks, read together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) monotonic_ns: u64,
    pub(crate) boottime_ns: u64,
    pub(crate) realtime_ns: i64,
}

pub(crate) fn read() -> Reading {
    Reading {
        monotonic_ns: read_one(ClockId::Monotonic),
        boottime_ns: read_one(ClockId::Boottime),
        realtime_ns: read_one(ClockId::Realtime) as i64,
    }
}

/// Nanoseconds since the Unix epoch.
#[must_use]
pub fn now_ns() -> i64 {
    read_one(ClockId::Realtime) as i64
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    read_one(ClockId::Realtime) / 1_000_000
}

fn read_one(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleeps until the next multiple of `period` since the Unix epoch, so that the end of a tick needs no wake-up of its own.
pub(crate) fn sleep_to_multiple(period: Duration) {
    let period_ns = (period.as_nanos() as u64).max(1);
    let now_ns = read_one(ClockId::Realtime);
    std::thread::sleep(Duration::from_nanos(period_ns - now_ns % period_ns));
}
