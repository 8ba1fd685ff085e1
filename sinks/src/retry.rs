//! How long to wait before the next attempt: twice as long each time, up to a bound, with some chance in it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

/// Waits between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Before the second attempt.
    pub first: Duration,
    /// Never longer than this.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), longest: Duration::from_secs(10) }
    }
}

/// The waits of one row of failures.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: RetryPolicy,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, next: policy.first }
    }

    /// Half of the wait is certain, the other half is chance, so that many agents do not come back at once.
    pub(crate) fn wait(&mut self) -> Duration {
        let whole = self.next.min(self.policy.longest);
        self.next = (whole * 2).min(self.policy.longest);
        let chance = (RandomState::new().build_hasher().finish() >> 11) as f64 / (1u64 << 53) as f64;
        whole.mul_f64(0.5 + chance / 2.0)
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.policy.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_begin_again_after_success() {
        let policy = RetryPolicy { first: Duration::from_millis(100), longest: Duration::from_millis(350) };
        let mut backoff = Backoff::new(policy);
        for whole in [100, 200, 350, 350] {
            let wait = backoff.wait().as_millis();
            assert!((whole / 2..=whole).contains(&wait), "{wait} of {whole}");
        }
        backoff.reset();
        assert!(backoff.wait() <= policy.first);
    }
}
