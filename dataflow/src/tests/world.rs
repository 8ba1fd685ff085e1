//! A dataflow fed by hand, with the scripts that are followed and checked against one execution.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use watershed_model::{StateChange, Tick, TickTime, Upid, tables};
use watershed_query::{Catalog, ScriptTable, Snapshot, compile, execute, lower};

use crate::{Config, Dataflow, Delivery, Input, Pace, Running, SubscribeOptions, Subscription};

/// Longer than any step takes; a test that would hang fails instead.
const PATIENCE: Duration = Duration::from_secs(60);
const NAMES: [&str; 4] = ["a", "b", "c", "a long name that is not inline"];

/// What one tick brings. Ages are milliseconds before the tick; processes are numbered from 1.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    /// Milliseconds since the tick before, beside the 100 that there always are.
    pub(super) pause: u64,
    /// Age, source, reason, count, bytes.
    pub(super) losses: Vec<(u64, usize, usize, i64, i64)>,
    /// Age, process, exit code.
    pub(super) exits: Vec<(u64, u32, i64)>,
    /// Process and its new name, `None` when it goes.
    pub(super) names: Vec<(u32, Option<usize>)>,
}

impl Step {
    /// Some of everything, another thing each round.
    pub(super) fn numbered(round: u64) -> Self {
        let number = round as usize;
        Step {
            pause: 300 * (round % 3),
            losses: vec![(round * 70, number % 2, number % 3, 3, 10), (0, 1, 2, round as i64, 0)],
            exits: vec![(0, 1 + (round % 4) as u32, 1)],
            names: vec![(1 + (round % 4) as u32, (round % 5 != 4).then_some(number % 4))],
        }
    }
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 4..10)
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let loss = (0_u64..5_000, 0_usize..2, 0_usize..3, 0_i64..50, -5_i64..2_000);
    let exit = (0_u64..5_000, 1_u32..5, 0_i64..3);
    let name = (1_u32..5, proptest::option::weighted(0.8, 0_usize..4));
    let step = (
        0_u64..1_500,
        proptest::collection::vec(loss, 0..12),
        proptest::collection::vec(exit, 0..4),
        proptest::collection::vec(name, 0..3),
    );
    step.prop_map(|(pause, losses, exits, names)| Step { pause, losses, exits, names })
}

struct Followed {
    table: ScriptTable,
    view: String,
    /// `None` while nobody follows the view.
    subscription: Option<Subscription>,
    rows: BTreeMap<String, i64>,
}

/// The dataflow under test.
pub(super) struct World {
    pub(super) catalog: Catalog,
    pub(super) dataflow: Dataflow,
    input: Input,
    running: Running,
    runtime: Runtime,
    time: u64,
    names: BTreeMap<u32, usize>,
    followed: Vec<Followed>,
}

impl World {
    pub(super) fn start(workers: usize) -> Self {
        let (dataflow, input, running) = Dataflow::start(Config { workers, ..Config::default() }).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let catalog = Catalog::new();
        let (names, followed) = (BTreeMap::new(), Vec::new());
        World { catalog, dataflow, input, running, runtime, time: 1_700_000_000_000, names, followed }
    }

    /// Makes a view of a script and subscribes to it; returns the view's name.
    pub(super) fn follow(&mut self, sql: &str) -> String {
        let script = compile(&self.catalog, sql, "law.sql").unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
        self.follow_table(script.tables.into_iter().next().unwrap())
    }

    /// Makes a view of what a statement makes and subscribes to it; returns the view's name.
    pub(super) fn follow_table(&mut self, table: ScriptTable) -> String {
        let plan = lower(&self.catalog, &table).unwrap_or_else(|refusal| panic!("{}: {refusal}", table.plan));
        let view = format!("view-{}", self.followed.len());
        self.dataflow.create_view(&view, plan).unwrap();
        let subscription = Some(self.subscribe(&view, Pace::Live));
        self.followed.push(Followed { table, view: view.clone(), subscription, rows: BTreeMap::new() });
        view
    }

    /// Whether a script can be a view.
    pub(super) fn can_follow(&self, sql: &str) -> bool {
        let script = compile(&self.catalog, sql, "law.sql").unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
        lower(&self.catalog, &script.tables[0]).is_ok()
    }

    /// Leaves a view alone.
    pub(super) fn leave(&mut self, at: usize) {
        let followed = &mut self.followed[at];
        followed.subscription = None;
        followed.rows.clear();
    }

    /// Follows a view again that was left alone.
    pub(super) fn resume(&mut self, at: usize) {
        let subscription = self.subscribe(&self.followed[at].view, Pace::Live);
        self.followed[at].subscription = Some(subscription);
    }

    pub(super) fn is_followed(&self, at: usize) -> bool {
        self.followed[at].subscription.is_some()
    }

    pub(super) fn subscribe(&self, view: &str, pace: Pace) -> Subscription {
        let options = SubscribeOptions { snapshot: true, peer: "test".into(), pace };
        self.dataflow.subscribe(view, options).unwrap()
    }

    /// Gives the dataflow one tick.
    pub(super) fn tick(&mut self, step: &Step) {
        self.time += 100 + step.pause;
        let mut tick = Tick { time: TickTime(self.time), ..Tick::default() };
        if !step.losses.is_empty() {
            tick.events.push(("system.losses", self.losses(step)));
        }
        if !step.exits.is_empty() {
            tick.events.push(("proc_exit_events", self.exits(step)));
        }
        let (processes, diffs): (Vec<_>, Vec<_>) = self.renamed(step).into_iter().unzip();
        if !diffs.is_empty() {
            tick.states.push(StateChange { table: "processes", rows: process_rows(&processes), diffs });
        }
        self.input.push_wait(tick);
    }

    /// Gives the dataflow a tick that somebody else fills, so long after the last.
    pub(super) fn tick_with(&mut self, after_ms: u64, fill: impl FnOnce(TickTime) -> Tick) {
        self.time += after_ms;
        self.input.push_wait(fill(TickTime(self.time)));
    }

    /// At the last tick every subscription adds up to what its script answers.
    pub(super) fn check(&mut self) {
        let time = self.catch_up();
        for followed in self.followed.iter().filter(|followed| followed.subscription.is_some()) {
            let expected = self.once(&followed.table);
            assert_eq!(followed.rows, expected, "at {time:?}: {}", followed.table.plan);
        }
    }

    /// Takes what all subscriptions have up to the last tick.
    pub(super) fn catch_up(&mut self) -> TickTime {
        let time = TickTime(self.time);
        let closed = async { tokio::time::timeout(PATIENCE, self.dataflow.closed_at(time)).await };
        self.runtime.block_on(closed).expect("the tick is closed");
        for followed in &mut self.followed {
            self.runtime.block_on(async {
                let advanced = tokio::time::timeout(PATIENCE, advance(followed, time)).await;
                advanced.unwrap_or_else(|_| panic!("no progress to {time:?}: {}", followed.table.plan));
            });
        }
        time
    }

    /// What one execution at the last tick answers.
    pub(super) fn once(&self, table: &ScriptTable) -> BTreeMap<String, i64> {
        let snapshot = self.dataflow.snapshot();
        assert_eq!(snapshot.time(), TickTime(self.time));
        let once = execute(&self.catalog, table, snapshot as Arc<dyn Snapshot>);
        let mut rows = BTreeMap::new();
        for batch in self.runtime.block_on(once).unwrap_or_else(|error| panic!("{error}: {}", table.plan)) {
            add(&mut rows, &batch, &vec![1; batch.num_rows()]);
        }
        rows
    }

    /// Rows of a followed script with their multiplicities.
    pub(super) fn counted(&self, at: usize) -> &BTreeMap<String, i64> {
        &self.followed[at].rows
    }

    /// Rows of a followed script, each as often as it is there.
    pub(super) fn rows(&self, at: usize) -> Vec<String> {
        let repeated = |(row, count): (&String, &i64)| std::iter::repeat_n(row.clone(), *count as usize);
        self.followed[at].rows.iter().flat_map(repeated).collect()
    }

    /// Drops one view that is followed; later ones move up.
    pub(super) fn unfollow(&mut self, at: usize) {
        let followed = self.followed.remove(at);
        self.dataflow.drop_view(&followed.view).unwrap();
    }

    /// Drops all views that are followed.
    pub(super) fn drop_views(&mut self) {
        for followed in self.followed.drain(..) {
            self.dataflow.drop_view(&followed.view).unwrap();
        }
    }

    pub(super) fn stop(self) {
        self.running.shutdown();
    }

    fn event_times(&self, ages: impl Iterator<Item = u64>) -> ArrayRef {
        let times = ages.map(|age| TickTime(self.time - age).as_nanoseconds());
        Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("+00:00"))
    }

    fn losses(&self, step: &Step) -> RecordBatch {
        let text = |values: Vec<&str>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let number = |values: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(values)) };
        let columns = vec![
            self.event_times(step.losses.iter().map(|loss| loss.0)),
            text(step.losses.iter().map(|_| "node").collect()),
            text(step.losses.iter().map(|loss| ["kernel", "ingest"][loss.1]).collect()),
            text(step.losses.iter().map(|loss| NAMES[loss.2]).collect()),
            number(step.losses.iter().map(|loss| loss.3).collect()),
            number(step.losses.iter().map(|loss| loss.4).collect()),
        ];
        RecordBatch::try_new(tables::SYSTEM_LOSSES.storage_schema(), columns).unwrap()
    }

    fn exits(&self, step: &Step) -> RecordBatch {
        let columns: Vec<ArrayRef> = vec![
            self.event_times(step.exits.iter().map(|exit| exit.0)),
            upids(step.exits.iter().map(|exit| exit.1)),
            Arc::new(Int64Array::from_iter_values(step.exits.iter().map(|exit| exit.2))),
            Arc::new(Int64Array::from_iter_values(step.exits.iter().map(|_| 0))),
            Arc::new(StringArray::from_iter_values(step.exits.iter().map(|exit| NAMES[exit.1 as usize % 4]))),
        ];
        RecordBatch::try_new(tables::PROC_EXIT_EVENTS.storage_schema(), columns).unwrap()
    }

    /// Rows that go and rows that come.
    fn renamed(&mut self, step: &Step) -> Vec<((u32, usize), i64)> {
        let mut changes = Vec::new();
        for (process, name) in &step.names {
            if let Some(old) = self.names.remove(process) {
                changes.push(((*process, old), -1));
            }
            if let Some(name) = name {
                self.names.insert(*process, *name);
                changes.push(((*process, *name), 1));
            }
        }
        changes
    }
}

fn upids(processes: impl Iterator<Item = u32>) -> ArrayRef {
    let bytes = processes.map(|pid| Upid { asid: 1, pid, start_ticks: 7 }.to_bytes());
    Arc::new(FixedSizeBinaryArray::try_from_iter(bytes).unwrap())
}

fn process_rows(processes: &[(u32, usize)]) -> RecordBatch {
    let text = |of: &dyn Fn(&(u32, usize)) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(processes.iter().map(of)))
    };
    let time = |at: i64| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from(vec![at; processes.len()]).with_timezone("+00:00"))
    };
    let columns = vec![
        upids(processes.iter().map(|process| process.0)),
        Arc::new(Int64Array::from_iter_values(processes.iter().map(|process| i64::from(process.0)))) as ArrayRef,
        upids(processes.iter().map(|_| 99)),
        text(&|process| NAMES[process.1]),
        text(&|_| "command"),
        text(&|_| "/bin/command"),
        text(&|_| "/"),
        text(&|_| ""),
        text(&|process| ["one", "two"][process.0 as usize % 2]),
        time(1),
        time(0),
        Arc::new(Int64Array::from(vec![0; processes.len()])) as ArrayRef,
        text(&|_| ""),
        text(&|_| ""),
    ];
    RecordBatch::try_new(tables::PROCESSES.storage_schema(), columns).unwrap()
}

/// Takes deliveries up to the progress mark of a time.
async fn advance(followed: &mut Followed, time: TickTime) {
    let Some(subscription) = &mut followed.subscription else { return };
    loop {
        match subscription.next().await.expect("the view is there") {
            Delivery::Changes { rows, diffs, .. } => add(&mut followed.rows, &rows, &diffs),
            Delivery::Progress(closed) if closed >= time => return,
            Delivery::Progress(_) => {}
            Delivery::Restart(_) => followed.rows.clear(),
            Delivery::Dropped => panic!("the view is gone"),
        }
    }
}

/// Adds rows, as text, to a multiset.
pub(super) fn add(rows: &mut BTreeMap<String, i64>, batch: &RecordBatch, diffs: &[i64]) {
    for (row, diff) in diffs.iter().enumerate() {
        let cells: Vec<String> =
            batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect();
        *rows.entry(cells.join("|")).or_default() += diff;
    }
    rows.retain(|_, count| *count != 0);
}
