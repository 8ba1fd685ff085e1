//! Why the dataflow refuses.

/// What callers can act on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is a view of that name already.
    #[error("there is a view {0} already; drop it first")]
    Exists(String),
    /// There is no view of that name.
    #[error("there is no view {0}")]
    Unknown(String),
    /// The plan has something that cannot be kept up.
    #[error("this cannot be kept up as a view: {0}")]
    Unsupported(String),
    /// The dataflow was shut down.
    #[error("the dataflow has been shut down")]
    Closed,
    /// The workers could not be started.
    #[error("cannot start the workers: {0}")]
    Start(String),
}

impl Error {
    pub(crate) fn unsupported(error: impl std::fmt::Display) -> Self {
        Error::Unsupported(error.to_string())
    }
}
