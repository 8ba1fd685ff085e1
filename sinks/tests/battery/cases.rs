//! What every sink must do, whatever it writes to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use watershed_sinks::{Identity, Manifest, Phase, Running};

use crate::view::{Rows, View};

/// The other side of a sink: what a reader of it holds, and how to break it.
pub(crate) trait Other {
    /// The manifest's sections; name and view are added.
    fn section(&self) -> String;
    /// The rows that a reader holds who applies all that is there, and the time up to which they are whole.
    fn held(&self) -> (Rows, u64);
    /// Nothing can be written until [`Other::mend`].
    fn break_it(&mut self);
    /// The reverse.
    fn mend(&mut self);
    /// Writing takes long until [`Other::mend`]; false if there is no such thing.
    fn slow_down(&mut self) -> bool;
    /// Letters that keys get more, for what only breaks on large writes.
    fn padding(&self) -> usize {
        0
    }
    /// Whether rows with this key are refused for ever.
    fn refuse(&mut self, key: &str) -> bool;
}

/// Starts a sink as the server does.
pub(crate) fn start(other: &dyn Other, view: &View, budget: &str) -> Running {
    let text = format!(
        "name = \"battery\"\nview = \"numbers\"\n{}\n[budget]\nbuffer = \"{budget}\"\n[retry]\nfirst = \"5ms\"\n\
         longest = \"50ms\"\n",
        other.section()
    );
    let manifest = Manifest::parse(&text, "battery.toml").unwrap();
    let identity = Identity { sink: manifest.name.clone(), node: "test".to_owned() };
    let endpoint = manifest.kind.endpoint(identity, Some(&std::env::temp_dir())).unwrap();
    Running::start(Arc::new(view.clone()), endpoint, manifest.budget)
}

/// Waits until something holds; panics with `what` after two minutes.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    assert!(holds_in_time(&mut holds).await, "not within 120 s: {what}");
}

async fn holds_in_time(holds: &mut impl FnMut() -> bool) -> bool {
    let patience = Instant::now() + Duration::from_secs(120);
    while !holds() {
        if Instant::now() > patience {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

async fn caught_up(running: &Running, view: &View) {
    let time = view.time();
    let status = Arc::clone(running.status());
    let is_in_time = holds_in_time(&mut || status.snapshot().frontier >= time).await;
    assert!(is_in_time, "not at {time} within 120 s: {:?}", status.snapshot());
}

fn agree(other: &dyn Other, view: &View) {
    let (rows, frontier) = other.held();
    assert_eq!(rows, view.rows());
    assert_eq!(frontier, view.time());
}

pub(crate) async fn snapshot_deltas_and_retractions(other: &mut dyn Other) {
    let view = View::padded(true, other.padding());
    view.set("a", 1);
    view.set("b", 2);
    let running = start(other, &view, "1MiB");
    caught_up(&running, &view).await;
    agree(other, &view);
    for n in 0..20 {
        view.set(if n % 3 == 0 { "a" } else { "c" }, n);
    }
    view.change(&[("b", 2, -1)]);
    caught_up(&running, &view).await;
    agree(other, &view);
    assert_eq!(running.status().snapshot().phase, Phase::Running);
    assert_eq!(running.status().snapshot().dropped, 0);
    running.stop().await;
    agree(other, &view);
}

pub(crate) async fn rows_without_key_are_counted(other: &mut dyn Other) {
    let view = View::padded(false, other.padding());
    view.change(&[("a", 1, 3), ("b", 1, 1)]);
    let running = start(other, &view, "1MiB");
    view.change(&[("a", 1, -1), ("b", 1, 4)]);
    view.change(&[("b", 1, -5)]);
    caught_up(&running, &view).await;
    agree(other, &view);
    running.stop().await;
}

pub(crate) async fn a_restart_in_the_middle_changes_nothing(other: &mut dyn Other) {
    let view = View::padded(true, other.padding());
    for round in 0..4 {
        let running = start(other, &view, "1MiB");
        for n in 0..10 {
            view.set(["a", "b", "c"][n % 3], round * 100 + n as i64);
        }
        // A sink that is dropped has no time to end in order, one that is stopped has.
        if round % 2 == 0 {
            drop(running)
        } else {
            running.stop().await
        }
        view.change(&[(&format!("while-away-{round}"), 1, 1)]);
    }
    let running = start(other, &view, "1MiB");
    view.change(&[("while-away-0", 1, -1)]);
    caught_up(&running, &view).await;
    agree(other, &view);
    running.stop().await;
}

pub(crate) async fn an_endpoint_that_is_down_is_tried_again(other: &mut dyn Other) {
    let view = View::padded(true, other.padding());
    view.set("a", 1);
    let running = start(other, &view, "1MiB");
    caught_up(&running, &view).await;
    other.break_it();
    view.set("a", 2);
    view.set("b", 3);
    let status = Arc::clone(running.status());
    until("the failure shows", || status.snapshot().phase == Phase::Retrying).await;
    assert!(!status.snapshot().reason.is_empty());
    assert!(status.snapshot().retried > 0);
    other.mend();
    caught_up(&running, &view).await;
    agree(other, &view);
    assert_eq!(status.snapshot().phase, Phase::Running);
    assert_eq!(status.snapshot().reason, "");
    running.stop().await;
}

pub(crate) async fn rows_of_a_table_wait_for_an_endpoint_that_is_down(other: &mut dyn Other) {
    let view = View::table();
    let running = start(other, &view, "1MiB");
    for n in 0..5 {
        view.change(&[("a", n, 1)]);
    }
    caught_up(&running, &view).await;
    let follows = view.follows();
    other.break_it();
    view.change(&[("b", 1, 1), ("b", 2, 2)]);
    let status = Arc::clone(running.status());
    until("the failure shows", || status.snapshot().phase == Phase::Retrying).await;
    view.change(&[("c", 1, 1)]);
    other.mend();
    caught_up(&running, &view).await;
    agree(other, &view);
    // What waited was written: a snapshot of a table would lack old rows.
    assert_eq!((status.snapshot().dropped, view.follows()), (0, follows));
    running.stop().await;
}

pub(crate) async fn a_full_buffer_falls_back_to_a_snapshot(other: &mut dyn Other) {
    let view = View::padded(true, other.padding());
    view.set("a", 0);
    let running = start(other, &view, "64KiB");
    caught_up(&running, &view).await;
    let follows = view.follows();
    other.break_it();
    let status = Arc::clone(running.status());
    let mut n = 0;
    until("the buffer is full", || {
        n += 1;
        view.set(["a", "b", "c"][n as usize % 3], n);
        status.snapshot().restarts > 0
    })
    .await;
    assert!(status.snapshot().dropped > 0);
    assert!(status.snapshot().waiting_bytes <= 64 << 10);
    view.set("d", 1);
    other.mend();
    caught_up(&running, &view).await;
    agree(other, &view);
    assert!(view.follows() > follows);
    running.stop().await;
}

pub(crate) async fn a_slow_endpoint_does_not_slow_the_view(other: &mut dyn Other) {
    let view = View::padded(true, other.padding());
    let running = start(other, &view, "64KiB");
    caught_up(&running, &view).await;
    if !other.slow_down() {
        return;
    }
    let begun = Instant::now();
    for n in 0..200 {
        view.set(["a", "b", "c"][n % 3], n as i64);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "changing a view waits for nobody");
    other.mend();
    caught_up(&running, &view).await;
    agree(other, &view);
    running.stop().await;
}

pub(crate) async fn a_poisoned_row_is_dropped_and_counted(other: &mut dyn Other) {
    let view = View::padded(true, other.padding());
    if !other.refuse("poison") {
        return;
    }
    let running = start(other, &view, "1MiB");
    caught_up(&running, &view).await;
    view.change(&[("a", 1, 1), ("poison", 2, 1), ("b", 3, 1)]);
    caught_up(&running, &view).await;
    let status = running.status().snapshot();
    assert_eq!((status.phase, status.dropped), (Phase::Running, 1));
    assert!(!status.reason.is_empty());
    view.change(&[("poison", 2, -1), ("b", 3, -1)]);
    caught_up(&running, &view).await;
    agree(other, &view);
    running.stop().await;
}

pub(crate) async fn shutdown_writes_what_waits_or_gives_up_in_time(other: &mut dyn Other) {
    let view = View::padded(true, other.padding());
    let running = start(other, &view, "1MiB");
    caught_up(&running, &view).await;
    other.break_it();
    view.set("a", 1);
    let status = Arc::clone(running.status());
    until("the failure shows", || status.snapshot().phase == Phase::Retrying).await;
    let begun = Instant::now();
    running.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(6), "a broken endpoint does not hold up the end");
    other.mend();
    let running = start(other, &view, "1MiB");
    caught_up(&running, &view).await;
    agree(other, &view);
    running.stop().await;
}
