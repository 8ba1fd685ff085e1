//! Requests, errors and durations by service and endpoint for `/metrics`, from the exchanges of the bundled views. Nobody
//! pays for it before the first scrape.

mod counters;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use watershed_dataflow::Pace;
use watershed_model::cells::{Cell, Cells};

use crate::engine::{Beginning, Engine, Follower, Problem, Request, Target};
use crate::rows::{Changes, Event};
use counters::{BOUNDS, Counters, Counts, STEP, Series};

/// Where nobody scrapes for so long, counting ends.
const UNWANTED: Duration = Duration::from_secs(600);
/// Pause after a view that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// The counters of all services.
#[derive(Debug, Default)]
pub(crate) struct Services {
    counters: Arc<Mutex<Counters>>,
    counting: Mutex<Option<Counting>>,
}

#[derive(Debug)]
struct Counting {
    task: JoinHandle<()>,
    scraped: Arc<Mutex<Instant>>,
}

impl Services {
    /// Prometheus text. The first scrape begins to count.
    pub(crate) fn scrape(&self, engine: &Arc<Engine>) -> String {
        self.want(engine);
        lock(&self.counters).text()
    }

    fn want(&self, engine: &Arc<Engine>) {
        let mut counting = lock(&self.counting);
        if let Some(Counting { task, scraped }) = &*counting
            && !task.is_finished()
        {
            *lock(scraped) = Instant::now();
            return;
        }
        let scraped = Arc::new(Mutex::new(Instant::now()));
        let task = tokio::spawn(count(Arc::clone(engine), Arc::clone(&self.counters), Arc::clone(&scraped)));
        *counting = Some(Counting { task, scraped });
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(counting) = &*lock(&self.counting) {
            counting.task.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows the exchanges until nobody scrapes any more or the server ends.
async fn count(engine: Arc<Engine>, counters: Arc<Mutex<Counters>>, scraped: Arc<Mutex<Instant>>) {
    let Some(text) = statement() else { return };
    let target = Target::Text { text, origin: "metrics".to_owned(), vis: None };
    let request = Request { target, arguments: [].into() };
    while lock(&scraped).elapsed() < UNWANTED {
        match follow(&engine, &request, &counters, &scraped).await {
            Err(Problem::Stopping) => return,
            Err(problem) => {
                tracing::warn!(%problem, "counting the requests of services");
                tokio::time::sleep(PAUSE).await;
            }
            Ok(()) => (),
        }
        lock(&counters).restart();
    }
}

async fn follow(
    engine: &Arc<Engine>,
    request: &Request,
    counters: &Mutex<Counters>,
    scraped: &Mutex<Instant>,
) -> Result<(), Problem> {
    let (engine, peer) = (Arc::clone(engine), "metrics".to_owned());
    let start = Follower::start(engine, request.clone(), peer, Beginning::Snapshot, Pace::Relaxed);
    let mut follower = start.await?;
    while lock(scraped).elapsed() < UNWANTED {
        match follower.next().await? {
            Event::Schema(_) => (),
            Event::Changes(changes) => apply(&mut lock(counters), &changes),
            Event::Progress(time) => lock(counters).close(time),
            Event::Restart(_) => lock(counters).restart(),
        }
    }
    Ok(())
}

/// Counts of a step by responder, protocol and endpoint; named after they are summed, as the bundled views do it.
fn statement() -> Option<String> {
    let exchanges = exchanges()?;
    let within = |column: fn(usize, u64) -> String| {
        let columns = BOUNDS.iter().enumerate().map(|(at, bound)| column(at, *bound));
        columns.collect::<Vec<_>>().join(", ")
    };
    let sums = within(|at, _| format!("sum(within_{at}) AS within_{at}"));
    let counts = within(|at, bound| format!("sum(CASE WHEN latency <= {bound} THEN 1 ELSE 0 END) AS within_{at}"));
    let upid = "CASE WHEN trace_role = 2 THEN upid ELSE remote_upid END";
    let address = "CASE WHEN trace_role = 2 THEN '-' ELSE remote_addr END";
    let since = format!("owned_since({address}, time_)");
    let step = format!("date_bin(INTERVAL '{} seconds', time_)", STEP / 1_000);
    Some(format!(
        "SELECT best_name(responder_upid, responder_addr, since) AS responder, protocol, endpoint, step, \
         sum(requests) AS requests, sum(errors) AS errors, sum(latency) AS latency, {sums} FROM (\
         SELECT {upid} AS responder_upid, {address} AS responder_addr, {since} AS since, protocol, endpoint, {step} AS step, \
         count(*) AS requests, sum(CASE WHEN failure THEN 1 ELSE 0 END) AS errors, sum(latency) AS latency, {counts} \
         FROM ({exchanges}) AS exchanges \
         WHERE time_ > now() - INTERVAL '1 minute' AND NOT (trace_role = 1 AND upid_is_known(remote_upid)) \
         GROUP BY {upid}, {address}, {since}, protocol, endpoint, {step}) AS summed \
         GROUP BY responder, protocol, endpoint, step"
    ))
}

/// What an exchange is, as `endpoint_latency` says it.
fn exchanges() -> Option<&'static str> {
    let view = watershed_query::bundled().iter().find(|script| script.name == "ws/endpoint_latency")?;
    let (before, _) = view.text.split_once(") AS exchanges")?;
    before.rsplit_once("FROM (").map(|(_, exchanges)| exchanges)
}

fn apply(counters: &mut Counters, changes: &Changes) {
    let columns: Vec<Cells> = changes.rows.columns().iter().map(Cells::of).collect();
    for (row, diff) in changes.diffs.iter().enumerate() {
        let text = |column: usize| match columns[column].at(row) {
            Cell::Text(text) => text.to_owned(),
            _ => String::new(),
        };
        let number = |column: usize| match columns[column].at(row) {
            Cell::Integer(number) => i64::try_from(number).unwrap_or(i64::MAX),
            _ => 0,
        };
        let series = Series { responder: text(0), protocol: text(1), endpoint: text(2) };
        let step = u64::try_from(number(3)).unwrap_or_default() / 1_000_000;
        let within = std::array::from_fn(|bound| number(7 + bound));
        let counts = Counts { requests: number(4), errors: number(5), latency_ns: number(6), within };
        counters.change(changes.time, step, series, &counts, *diff);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn what_an_exchange_is_can_be_taken_from_the_bundled_view() {
        let statement = super::statement().unwrap();
        assert!(statement.contains("FROM http_events") && statement.contains("UNION ALL"), "{statement}");
    }
}
