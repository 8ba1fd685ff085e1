//! One battery of cases that every kind of sink passes.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, missing_docs)]

mod cases;
mod certificates;
mod file;
mod kafka;
mod otlp;
mod parquet;
mod registry;
mod remote_write;
mod speed;
mod view;
mod webhook;

/// The cases for one kind, each a test of its own; `$new` makes the other side or says why it cannot.
macro_rules! battery {
    ($new:expr) => {
        crate::battery!($new, snapshot_deltas_and_retractions, rows_without_key_are_counted,
            a_restart_in_the_middle_changes_nothing, an_endpoint_that_is_down_is_tried_again,
            a_full_buffer_falls_back_to_a_snapshot, a_slow_endpoint_does_not_slow_the_view,
            a_poisoned_row_is_dropped_and_counted, shutdown_writes_what_waits_or_gives_up_in_time);
    };
    ($new:expr, $($case:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            match $new {
                Ok(mut other) => crate::cases::$case(&mut other).await,
                Err(reason) => eprintln!("skipped: {reason}"),
            }
        })*
    };
}
pub(crate) use battery;
