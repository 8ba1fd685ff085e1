//! From record batches to changes of the bundled service map, through the public interface and with its thread
//! changes: ns a row of a load tool's traffic, the cost of an empty tick, and whether what is retained matters.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array, RecordBatch};
use arrow::array::{StringArray, TimestampNanosecondArray};
use arrow::datatypes::DataType;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use watershed_dataflow::{Config, Dataflow, Input, Pace, Running, SubscribeOptions, Subscription};
use watershed_model::tables::HTTP_EVENTS;
use watershed_model::{Column, Tick, TickTime, Upid};
use watershed_query::{Catalog, bundled, compile, lower};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exchanges of a tick of 100 ms: 15,600 a second, and what a web server answers at saturation here.
const ROWS: [usize; 2] = [1_560, 13_500];
const TICK_MS: u64 = 100;
const CLIENTS: usize = 4;

struct World {
    input: Input,
    dataflow: Dataflow,
    runtime: Runtime,
    time: u64,
    rows: usize,
    columns: Vec<ArrayRef>,
    /// Followed views do not rest.
    _followers: Vec<Subscription>,
    _running: Running,
}

impl World {
    /// A dataflow with the bundled views that are wanted, and so many rows a tick.
    fn start(rows: usize, wanted: impl Fn(&str) -> bool) -> Self {
        let config = Config { data_budget_bytes: 1 << 30, ..Config::default() };
        let (dataflow, input, running) = Dataflow::start(config).expect("the threads start");
        let catalog = Catalog::new();
        let mut followers = Vec::new();
        for view in bundled().iter().filter(|view| view.always_on && wanted(view.name)) {
            let script = compile(&catalog, view.text, view.name).expect("it compiles");
            let plan = lower(&catalog, &script.tables[0]).expect("it can be a view");
            dataflow.create_view(view.name, plan).expect("its name is free");
            let options = SubscribeOptions { snapshot: false, peer: "bench".into(), pace: Pace::Live };
            followers.push(dataflow.subscribe(view.name, options).expect("the view is there"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers starts");
        let columns = HTTP_EVENTS.columns.iter().map(|of| column(of, rows)).collect();
        let (time, _followers, _running) = (1_700_000_000_000, followers, running);
        World { input, dataflow, runtime, time, rows, columns, _followers, _running }
    }

    fn next(&mut self, events: bool) -> Tick {
        self.time += TICK_MS;
        let mut tick = Tick { time: TickTime(self.time), ..Tick::default() };
        if events {
            let first = TickTime(self.time - TICK_MS).as_nanoseconds();
            let step = TICK_MS as i64 * 1_000_000 / self.rows as i64;
            let times = (0..self.rows as i64).map(|row| first + row * step);
            self.columns[0] = Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("+00:00"));
            let rows = RecordBatch::try_new(HTTP_EVENTS.storage_schema(), self.columns.clone());
            tick.events.push((HTTP_EVENTS.name, rows.expect("the columns are of the table")));
        }
        tick
    }

    /// Wall time from handing over a tick to its close.
    fn run(&mut self, events: bool) -> Duration {
        let tick = self.next(events);
        let start = Instant::now();
        self.input.push_wait(tick);
        self.runtime.block_on(self.dataflow.closed_at(TickTime(self.time)));
        start.elapsed()
    }

    fn many(&mut self, ticks: u64, events: bool) -> Duration {
        (0..ticks).map(|_| self.run(events)).sum()
    }
}

/// A column of the traffic of one server and a few clients that are known processes.
fn column(column: &Column, rows: usize) -> ArrayRef {
    let upid = |pid: usize| Upid { asid: 1, pid: pid as u32, start_ticks: 7 }.to_bytes();
    let integer = |row: usize| match column.name {
        "trace_role" => 2,
        "resp_status" => 200 + 300 * i64::from(row.is_multiple_of(100)),
        "latency" => 200_000 + (row as i64 * 7_919) % 600_000,
        "req_bytes" => 44,
        "resp_bytes" => 1_270,
        _ => 80,
    };
    let field = column.storage_field();
    match field.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from_iter_values((0..rows).map(integer))),
        DataType::Float64 => Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64))),
        DataType::Boolean => Arc::new(BooleanArray::from(vec![false; rows])),
        DataType::Binary => Arc::new(BinaryArray::from_iter_values((0..rows).map(|_| [b'x'; 40]))),
        DataType::Utf8 => Arc::new(StringArray::from_iter_values((0..rows).map(|_| "text"))),
        DataType::FixedSizeBinary(_) if column.name.ends_with("_addr") => {
            let client =
                |row: usize| std::net::Ipv4Addr::new(10, 0, 0, (row % CLIENTS) as u8).to_ipv6_mapped().octets();
            Arc::new(FixedSizeBinaryArray::try_from_iter((0..rows).map(client)).expect("all are as long"))
        }
        DataType::FixedSizeBinary(_) if column.name == "remote_upid" => {
            let clients = (0..rows).map(|row| upid(100 + row % CLIENTS));
            Arc::new(FixedSizeBinaryArray::try_from_iter(clients).expect("all are as long"))
        }
        DataType::FixedSizeBinary(_) => {
            Arc::new(FixedSizeBinaryArray::try_from_iter((0..rows).map(|_| upid(10))).expect("all are as long"))
        }
        _ => Arc::new(TimestampNanosecondArray::from(vec![0; rows]).with_timezone("+00:00")),
    }
}

fn is_map(name: &str) -> bool {
    name == "ws/service_map"
}

fn service_map(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("service_map");
    for (rows, retained) in [(ROWS[0], 20_u64), (ROWS[0], 200), (ROWS[1], 20)] {
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(BenchmarkId::new("row", format!("{rows} a tick, {retained} ticks before")), |bencher| {
            // Each sample has a world of its own: what is retained must not grow with the measurement.
            bencher.iter_custom(|ticks| {
                let mut spent = Duration::ZERO;
                let mut left = ticks;
                while left > 0 {
                    let mut world = World::start(rows, is_map);
                    world.many(retained, true);
                    let now = left.min(20);
                    spent += world.many(now, true);
                    left -= now;
                }
                spent
            });
        });
    }
    group.throughput(Throughput::Elements(1));
    let mut world = World::start(ROWS[0], is_map);
    world.many(20, true);
    group.bench_function("empty tick", |bencher| bencher.iter_custom(|ticks| world.many(ticks, false)));
    let mut world = World::start(ROWS[0], |_| true);
    world.many(20, true);
    group.bench_function("empty tick of all bundled views", |bencher| {
        bencher.iter_custom(|ticks| world.many(ticks, false));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3));
    targets = service_map
}
criterion_main!(benches);
