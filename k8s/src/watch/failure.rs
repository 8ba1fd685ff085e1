//! What a failure means for a watch, and how long to wait before the next try.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use kube::core::Status;

use super::connect::one_line;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Rights may be granted later, so what is refused is asked for again.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);

/// Why a list or a watch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The version is not there any more (or not yet, on a server that was set back): list again.
    Gone,
    /// No right to this kind, or the server does not have it.
    Refused(String),
    /// No answer, or one that makes no sense.
    Away(String),
}

impl Failure {
    pub(super) fn of_status(status: &Status) -> Failure {
        let message = || if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
        match status.code {
            410 => Failure::Gone,
            504 if status.message.contains("Too large resource version") => Failure::Gone,
            403..=405 => Failure::Refused(message()),
            code => Failure::Away(format!("{} ({code})", message())),
        }
    }
}

/// Why a watch or a list goes no further.
#[derive(Debug)]
pub(super) enum End {
    /// The keeper is gone, so there is nobody to watch for.
    Alone,
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Failed(failure)
    }
}

impl From<kube::Error> for End {
    fn from(error: kube::Error) -> End {
        End::Failed(error.into())
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Failure {
        match &error {
            kube::Error::Api(status) => Failure::of_status(status),
            other => Failure::Away(one_line(other)),
        }
    }
}

/// Pauses that grow with every failure in a row.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Pauses { next: FIRST_PAUSE }
    }

    /// All is well again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }

    /// The pause after a failure, spread so that not all nodes ask at once: between half of it and all of it.
    pub(super) fn after(&mut self, failure: &Failure) -> Duration {
        let pause = match failure {
            Failure::Refused(_) => REFUSED_PAUSE,
            Failure::Gone | Failure::Away(_) => self.next,
        };
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        let random = (RandomState::new().build_hasher().finish() % 1000) as u32;
        pause / 2 + pause / 2 * random / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_start_again() {
        let mut pauses = Pauses::new();
        let away = Failure::Away(String::new());
        for _ in 0..20 {
            assert!(pauses.after(&away) <= LONGEST_PAUSE);
        }
        assert!(pauses.after(&away) >= LONGEST_PAUSE / 2);
        pauses.reset();
        assert!(pauses.after(&away) <= FIRST_PAUSE);
    }

    #[test]
    fn a_version_that_is_gone_asks_for_a_list_and_a_missing_right_for_patience() {
        let status = |code| Status { code, message: "why".into(), ..Status::default() };
        assert_eq!(Failure::of_status(&status(410)), Failure::Gone);
        assert_eq!(Failure::of_status(&status(403)), Failure::Refused("why".into()));
        assert_eq!(Failure::of_status(&status(500)), Failure::Away("why (500)".into()));
    }
}
