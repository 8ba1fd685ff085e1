//! How a command ends when it does not end well: one message for stderr and the exit code that scripts rely on.

use std::fmt;
use std::process::ExitCode;

/// Why a command ended; the number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It failed while running.
    Failed = 1,
    /// Wrong usage, or a script that does not compile.
    Usage = 2,
    /// Privileges or a token are missing.
    NotPermitted = 3,
    /// Nothing listens there.
    NoServer = 4,
}

/// A command's failure: what, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Failed, message: message.to_string() }
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }

    pub(crate) fn not_permitted(message: impl fmt::Display) -> Self {
        Self { exit: Exit::NotPermitted, message: message.to_string() }
    }

    pub(crate) fn no_server(message: impl fmt::Display) -> Self {
        Self { exit: Exit::NoServer, message: message.to_string() }
    }

    /// A failure to write to stdout. A reader that went away (`| head`) is no failure of ours, hence the option.
    pub(crate) fn of_output(error: &std::io::Error) -> Option<Self> {
        (error.kind() != std::io::ErrorKind::BrokenPipe).then(|| Self::failed(format!("cannot write output: {error}")))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(format!("{error:#}"))
    }
}
