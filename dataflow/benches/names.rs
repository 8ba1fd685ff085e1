//! What names cost in the bundled service map: a row with and without them, and a late name from the tick that brings it
//! to the delta that a subscriber gets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use datafusion::scalar::ScalarValue;
use tokio::runtime::Runtime;
use watershed_dataflow::{Config, Dataflow, Delivery, Input, Pace, Running, SubscribeOptions, Subscription};
use watershed_model::tables::{HTTP_EVENTS, K8S_ADDRESSES, K8S_PODS, Table};
use watershed_model::{StateChange, Tick, TickTime, Upid};
use watershed_query::{Catalog, bundled, compile, lower};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TICK_MS: u64 = 100;
/// Exchanges of a tick: 15,600 a second, and what a web server answers at saturation here.
const ROWS: [usize; 2] = [1_560, 13_500];
const SERVERS: usize = 4;
/// Ticks in which there is traffic.
const TICKS: usize = 1_024;
const START_MS: u64 = 1_700_000_000_000;

struct World {
    input: Input,
    dataflow: Dataflow,
    subscription: Subscription,
    runtime: Runtime,
    time: u64,
    _running: Running,
}

fn map() -> &'static str {
    bundled().iter().find(|view| view.name == "ws/service_map").expect("it is bundled").text
}

/// The map with processes and addresses as they are.
fn nameless_map() -> String {
    map()
        .replace("best_name(remote_upid, remote_addr, since)", "remote_addr")
        .replace("best_name_kind(remote_upid, remote_addr, since)", "'address'")
        .replace("best_name(upid)", "upid_to_string(upid)")
        .replace("best_name_kind(upid)", "'process'")
        .replace("          owned_since(remote_addr, time_) AS since,\n", "")
        .replace(", owned_since(remote_addr, time_)", "")
}

impl World {
    fn start(sql: &str) -> Self {
        let config = Config { data_budget_bytes: 4 << 30, ..Config::default() };
        let (dataflow, input, running) = Dataflow::start(config).expect("the threads start");
        let catalog = Catalog::new();
        let script = compile(&catalog, sql, "bench.sql").expect("it compiles");
        let plan = lower(&catalog, &script.tables[0]).expect("it can be a view");
        dataflow.create_view("map", plan).expect("its name is free");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers starts");
        let options = SubscribeOptions { snapshot: true, peer: "bench".into(), pace: Pace::Live };
        let subscription = dataflow.subscribe("map", options).expect("the view is there");
        World { input, dataflow, subscription, runtime, time: START_MS, _running: running }
    }

    fn tick(&mut self, after_ms: u64, fill: impl FnOnce(&mut Tick)) {
        self.time += after_ms;
        let mut tick = Tick { time: TickTime(self.time), ..Tick::default() };
        fill(&mut tick);
        self.input.push_wait(tick);
    }

    /// Takes deliveries until the last tick is closed; how many rows changed.
    fn deliver(&mut self) -> usize {
        let (mut changed, until) = (0, TickTime(self.time));
        loop {
            match self.runtime.block_on(self.subscription.next()).expect("the view is there") {
                Delivery::Changes { diffs, .. } => changed += diffs.len(),
                Delivery::Progress(closed) if closed >= until => return changed,
                Delivery::Progress(_) | Delivery::Restart(_) | Delivery::Dropped => {}
            }
        }
    }

    fn traffic(&mut self, ticks: usize, rows: usize) {
        for _ in 0..ticks {
            let events = traffic(self.time, rows);
            self.tick(TICK_MS, |tick| tick.events.push((HTTP_EVENTS.name, events)));
            self.runtime.block_on(self.dataflow.closed_at(TickTime(self.time)));
        }
        self.deliver();
    }

    /// Wall and processor time, in microseconds, of a tick from being handed over to its close.
    fn spent_a_tick(&mut self, rows: usize) -> [f64; 2] {
        let events: Vec<_> = (0..TICKS_OF_A_ROUND).map(|tick| traffic(self.time + tick * TICK_MS, rows)).collect();
        let (start, ran) = (Instant::now(), processor_ns());
        for events in events {
            self.tick(TICK_MS, |tick| tick.events.push((HTTP_EVENTS.name, events)));
            self.runtime.block_on(self.dataflow.closed_at(TickTime(self.time)));
        }
        let spent = [start.elapsed().as_secs_f64() * 1e6, (processor_ns() - ran) as f64 / 1e3];
        self.deliver();
        spent.map(|spent| spent / TICKS_OF_A_ROUND as f64)
    }

    /// A pod becomes known (+1) or not (-1); wall time to the delta.
    fn name(&mut self, from_ns: i64, diff: i64) -> Duration {
        let states = named(from_ns, diff);
        let start = Instant::now();
        // However often it is measured, the traffic stays in the view's window.
        self.tick(1, |tick| tick.states = states);
        assert!(self.deliver() >= 2, "an edge is renamed");
        start.elapsed()
    }
}

/// The first server's pod, and its address from a time on.
fn named(from_ns: i64, diff: i64) -> Vec<StateChange> {
    let pod = [("pod_id", "p".into()), ("name", "shop/late".into())];
    let place = [
        ("addr", address(0)),
        ("kind", "pod".into()),
        ("id", "p".into()),
        ("name", "shop/late".into()),
        ("valid_from", time(from_ns)),
    ];
    let change = |table: &'static Table, values: &[_]| StateChange {
        table: table.name,
        rows: row(table, values),
        diffs: vec![diff],
    };
    vec![change(&K8S_PODS, &pod), change(&K8S_ADDRESSES, &place)]
}

fn time(ns: i64) -> ScalarValue {
    ScalarValue::TimestampNanosecond(Some(ns), Some("+00:00".into()))
}

fn address(server: usize) -> ScalarValue {
    let octets = std::net::Ipv4Addr::new(10, 0, 1, server as u8).to_ipv6_mapped().octets();
    ScalarValue::FixedSizeBinary(16, Some(octets.to_vec()))
}

/// A row with these values, and empty ones beside.
fn row(table: &'static Table, given: &[(&str, ScalarValue)]) -> RecordBatch {
    let column = |column: &watershed_model::Column| -> ArrayRef {
        let stored = column.storage_field();
        let value = given.iter().find(|(name, _)| *name == column.name).map(|(_, value)| value.clone());
        let empty = || match stored.data_type() {
            arrow::datatypes::DataType::FixedSizeBinary(size) => {
                ScalarValue::FixedSizeBinary(*size, Some(vec![0; *size as usize]))
            }
            other => ScalarValue::new_default(other).expect("all types have one"),
        };
        value.unwrap_or_else(empty).cast_to(stored.data_type()).and_then(|value| value.to_array()).expect("it fits")
    };
    RecordBatch::try_new(table.storage_schema(), table.columns.iter().map(column).collect()).expect("it fits")
}

/// Exchanges of a client with servers that are not on this node, over the tick that begins at a time.
fn traffic(since_ms: u64, rows: usize) -> RecordBatch {
    let upid = Upid { asid: 1, pid: 10, start_ticks: 7 }.to_bytes().to_vec();
    let one = |at: usize| {
        let given = [
            ("upid", ScalarValue::FixedSizeBinary(16, Some(upid.clone()))),
            ("remote_addr", address(at % SERVERS)),
            ("trace_role", ScalarValue::Int64(Some(1))),
            ("resp_status", ScalarValue::Int64(Some(200))),
            ("latency", ScalarValue::Int64(Some(200_000 + (at as i64 * 7_919) % 600_000))),
        ];
        row(&HTTP_EVENTS, &given)
    };
    let servers: Vec<_> = (0..SERVERS).map(one).collect();
    let parts: Vec<_> = (0..rows.div_ceil(SERVERS)).flat_map(|_| &servers).take(rows).collect();
    let batch = concat_batches(&HTTP_EVENTS.storage_schema(), parts).expect("they are of the table");
    let step = TICK_MS as i64 * 1_000_000 / rows as i64;
    let times = (0..rows as i64).map(|at| TickTime(since_ms).as_nanoseconds() + at * step);
    let times = arrow::array::TimestampNanosecondArray::from_iter_values(times).with_timezone("+00:00");
    let mut columns = batch.columns().to_vec();
    columns[0] = Arc::new(times);
    RecordBatch::try_new(batch.schema(), columns).expect("only times are others")
}

const ROUNDS: usize = 21;
const TICKS_OF_A_ROUND: u64 = 100;

/// Wall time and processor time of a tick with names and without them, in turn: machines are seldom as fast from one
/// minute to the next.
fn rows(_: &mut Criterion) {
    for rows in ROWS {
        let mut worlds = [map().to_owned(), nameless_map()].map(|sql| {
            let mut world = World::start(&sql);
            world.tick(TICK_MS, |tick| tick.states = named(1, 1));
            world.traffic(20, rows);
            world
        });
        let mut rounds: Vec<[[f64; 2]; 2]> =
            (0..ROUNDS).map(|_| worlds.each_mut().map(|world| world.spent_a_tick(rows))).collect();
        for (at, kind) in ["wall", "processor"].into_iter().enumerate() {
            rounds.sort_unstable_by(|one, other| (one[0][at] / one[1][at]).total_cmp(&(other[0][at] / other[1][at])));
            let [with, without] = rounds[ROUNDS / 2].map(|spent| spent[at]);
            let ratios = [0, ROUNDS / 2, ROUNDS - 1].map(|round| rounds[round][0][at] / rounds[round][1][at]);
            println!(
                "names/{rows} rows a tick, {kind} time: {with:.0} us with, {without:.0} without; {:.2} ({:.2} to {:.2})",
                ratios[1], ratios[0], ratios[2]
            );
        }
    }
}

/// Nanoseconds that all threads of the process have run.
fn processor_ns() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists a process' threads");
    let ran = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<u64>().ok()
    };
    tasks.filter_map(ran).sum()
}

/// Exchanges of the address whose name comes late; others have three times as many.
fn late(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("late name");
    let middle = TickTime(START_MS + TICKS as u64 / 2 * TICK_MS + 50).as_nanoseconds() + 1;
    for exchanges in [100_000, 1_000_000] {
        let mut world = World::start(map());
        world.traffic(TICKS, exchanges * SERVERS / TICKS);
        for (when, from_ns) in [("before all traffic", 1), ("in the middle of it", middle)] {
            group.bench_function(BenchmarkId::new(when, exchanges), |bencher| {
                bencher.iter_custom(|times| {
                    let name = |_| {
                        let spent = world.name(from_ns, 1);
                        world.name(from_ns, -1);
                        spent
                    };
                    (0..times).map(name).sum()
                });
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(2));
    targets = rows, late
}
criterion_main!(benches);
