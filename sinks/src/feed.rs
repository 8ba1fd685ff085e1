//! What a sink follows: one view (or table, or statement), as whoever runs the sink hands it over.

use std::future::Future;
use std::pin::Pin;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// A future that can be kept in a trait object.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a sink is handed, in order.
#[derive(Debug, Clone)]
pub enum Event {
    /// The i-th row's multiplicity changed by the i-th diff at `time` (ms).
    Changes {
        /// When.
        time: u64,
        /// Which rows.
        rows: RecordBatch,
        /// By how much.
        diffs: Vec<i64>,
        /// Whether these rows belong to a whole view, which the next progress ends.
        snapshot: bool,
    },
    /// All changes at or before this time (ms) were handed over.
    Progress(u64),
    /// Forget all rows; a snapshot follows. Says why.
    Restart(String),
}

/// The columns of what is followed.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Name of the view, table or statement.
    pub view: String,
    /// Its columns.
    pub schema: SchemaRef,
    /// Names of the columns that identify a row; empty when rows have no key.
    pub key: Vec<String>,
    /// Whether rows only come: what leaves the window that is followed stays where it was written.
    pub append: bool,
}

/// One subscription.
pub trait Follow: Send {
    /// The columns; asked again after a [`Event::Restart`].
    fn shape(&self) -> &Shape;

    /// The next event; an error ends the subscription.
    fn next(&mut self) -> Pending<'_, Result<Event, Ended>>;
}

/// Whoever can be followed, again and again.
pub trait Feed: Send + Sync {
    /// A subscription that begins with a snapshot.
    fn follow(&self) -> Pending<'_, Result<Box<dyn Follow>, Ended>>;
}

/// Why there is nothing to follow (any more).
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Ended(pub String);
