//! The id of a process that no other process ever had: node, pid and start time.

use std::fmt;

/// Clock ticks a second of a process's start time (`USER_HZ`, 100 on every Linux that we run on).
pub const START_TICKS_PER_SECOND: u64 = 100;
/// Nanoseconds of a clock tick of start times.
pub const NS_PER_START_TICK: u64 = 1_000_000_000 / START_TICKS_PER_SECOND;

/// Node (`asid`), pid in the host's namespace, and start time in clock ticks since boot. Packed, the three stand in
/// that order from the most significant bits, so one node's ids sort together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Upid {
    /// Number of the agent, unique in a cluster.
    pub asid: u32,
    /// Process id (thread group id) in the host's pid namespace.
    pub pid: u32,
    /// Start time in clock ticks ([`START_TICKS_PER_SECOND`]) since boot.
    pub start_ticks: u64,
}

impl Upid {
    /// The id of no process.
    pub const NONE: Upid = Upid { asid: 0, pid: 0, start_ticks: 0 };

    /// Whether this names a process at all.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// The id as one number: `asid << 96 | pid << 64 | start_ticks`.
    #[must_use]
    pub fn packed(self) -> u128 {
        (u128::from(self.asid) << 96) | (u128::from(self.pid) << 64) | u128::from(self.start_ticks)
    }

    /// The reverse of [`Upid::packed`].
    #[must_use]
    pub fn unpacked(packed: u128) -> Self {
        Upid { asid: (packed >> 96) as u32, pid: (packed >> 64) as u32, start_ticks: packed as u64 }
    }

    /// Big-endian bytes, as stored in Arrow columns, so byte order is numeric order.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.packed().to_be_bytes()
    }

    /// The reverse of [`Upid::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::unpacked(u128::from_be_bytes(bytes))
    }
}

/// `asid:pid:start_ticks`.
impl fmt::Display for Upid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.asid, self.pid, self.start_ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::Upid;

    #[test]
    fn packing_round_trips_and_keeps_order() {
        let low = Upid { asid: 1, pid: 7, start_ticks: u64::MAX };
        let high = Upid { asid: 1, pid: 8, start_ticks: 0 };
        assert_eq!(Upid::from_bytes(low.to_bytes()), low);
        assert!(low.to_bytes() < high.to_bytes());
        assert_eq!(high.to_string(), "1:8:0");
    }
}
