//! Interrupt and termination, and the runtimes that wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::allocator;

/// A command that is stuck, such as on a reader of its output that stalls, is ended this long after the signal.
const PATIENCE: Duration = Duration::from_secs(1);

/// A runtime with this many workers, and how they are called.
pub(crate) fn runtime(name: &str, workers: usize) -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name(name)
        .on_thread_park(allocator::give_back)
        .enable_all()
        .build()
        .context("starting the runtime")
}

/// Returns at the first SIGINT or SIGTERM.
pub(crate) async fn end_requested() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}

/// Returns once the server is stopping.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Ends the process with 0 some time after a signal, whatever it is stuck in.
pub(crate) fn end_when_stuck() {
    tokio::spawn(async {
        end_requested().await;
        tokio::time::sleep(PATIENCE).await;
        std::process::exit(0);
    });
}

/// A flag that turns true at the first signal, for work that blocks a thread.
pub(crate) fn flag(runtime: &Runtime) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    runtime.spawn(async move {
        end_requested().await;
        raised.store(true, Ordering::Relaxed);
    });
    flag
}
