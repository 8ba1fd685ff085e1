//! The API server's objects as rows for the ticks: one list and one watch a kind, resumed where they broke off.
//! What is known stays while the server is away.

mod connect;
mod failure;
mod keeper;
mod kind;
mod list;
mod paced;
mod status;

use arrow::array::RecordBatch;
use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use watershed_model::StateChange;

use crate::facts::News;
use crate::object::Kind;
use keeper::Keeper;
use kind::Link;
use status::State;

pub use connect::{Access, Error, connect, in_cluster};

/// Reports that may wait for the keeper; who has more waits.
const REPORTS_MAX: usize = 256;

/// Rows that became known together.
#[derive(Debug, Default)]
pub struct Told {
    /// Changes of state tables.
    pub states: Vec<StateChange>,
    /// Rows of `pod_events`.
    pub events: Option<RecordBatch>,
}

/// What a kind's watch has to say.
#[derive(Debug)]
enum Report {
    News(News),
    /// How the watch is, and why where it is not well.
    State(Kind, State, String),
    /// Objects that could not be read.
    Unread(Kind, u64),
}

/// Watches until nothing is taken any more. `now_ns` is nanoseconds since the epoch; `tell` is given rows at most every
/// 200 ms and says whether it takes more.
pub async fn run(client: Client, now_ns: fn() -> i64, tell: impl AsyncFnMut(Told) -> bool) {
    let (told, reports) = mpsc::channel(REPORTS_MAX);
    let mut watches = JoinSet::new();
    for kind in Kind::ALL {
        kind::spawn(&mut watches, Link { kind, client: client.clone(), told: told.clone(), now_ns });
    }
    Keeper::new(now_ns).keep(reports, tell).await;
    watches.shutdown().await;
}
