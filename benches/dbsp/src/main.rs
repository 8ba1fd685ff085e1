//! Update cost of a grouped view on the same rows, ours and dbsp's, one worker each: filter, group by process and path,
//! count, sum and max. Prints ns a row and the ratio, round by round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, Int64Array, RecordBatch, TimestampNanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use dbsp::circuit::CircuitConfig;
use dbsp::operator::Max;
use dbsp::utils::{Tup2, Tup4};
use dbsp::{Runtime, ZWeight};
use watershed_dataflow::{Config, Dataflow, Pace, SubscribeOptions};
use watershed_model::tables::HTTP_EVENTS;
use watershed_model::{Column, Tick, TickTime, Upid};
use watershed_query::{Catalog, compile, lower};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVICES: u64 = 50;
const PATHS: u64 = 1_000;
const TICK_MS: u64 = 100;
const WARM_UP: usize = 20;

const VIEW: &str = "SELECT upid, req_path, count(*) AS n, sum(latency) AS total, max(latency) AS slowest \
                    FROM http_events WHERE resp_status = 200 AND time_ > now() - INTERVAL '5 minutes' \
                    GROUP BY upid, req_path";

/// An exchange.
#[derive(Clone, Copy)]
struct Exchange {
    service: u32,
    path: u64,
    status: i64,
    latency: i64,
}

/// The rows of a tick, as `benches/one_shot.py` makes them.
fn exchanges(tick: usize, rows: usize) -> Vec<Exchange> {
    let numbers = (tick * rows..(tick + 1) * rows).map(|row| (row as u64).wrapping_mul(2_654_435_761) % (1 << 32));
    let exchange = |n: u64| Exchange {
        service: (n % SERVICES) as u32,
        path: n / 64 % PATHS,
        status: if n % 10 == 0 { 500 } else { 200 },
        latency: (n % 100_000_007) as i64,
    };
    numbers.map(exchange).collect()
}

fn path(number: u64) -> String {
    format!("/api/v1/items/{number}")
}

fn column(column: &Column, rows: &[Exchange], time_ns: i64) -> ArrayRef {
    match column.name {
        "time_" => Arc::new(TimestampNanosecondArray::from(vec![time_ns; rows.len()]).with_timezone("+00:00")),
        "upid" => {
            let upid = |row: &Exchange| Upid { asid: 1, pid: row.service + 1, start_ticks: 7 }.to_bytes();
            Arc::new(FixedSizeBinaryArray::try_from_iter(rows.iter().map(upid)).expect("all are as long"))
        }
        "req_path" => Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| path(row.path).into_bytes()))),
        "resp_status" => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.status))),
        "latency" => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.latency))),
        _ => {
            let field = column.storage_field();
            match field.data_type() {
                DataType::FixedSizeBinary(_) => {
                    Arc::new(FixedSizeBinaryArray::try_from_iter(rows.iter().map(|_| [0; 16])).expect("as long"))
                }
                DataType::Binary => Arc::new(BinaryArray::from_iter_values(rows.iter().map(|_| b""))),
                other => cast(&Int64Array::from(vec![0; rows.len()]), other).expect("zero is of every other type"),
            }
        }
    }
}

/// From record batch to the closed time, with the thread changes of the product.
fn ours(ticks: usize, rows: usize) -> Duration {
    let (dataflow, input, _running) = Dataflow::start(Config::default()).expect("the threads start");
    let catalog = Catalog::new();
    let script = compile(&catalog, VIEW, "grouped.sql").expect("it compiles");
    dataflow.create_view("grouped", lower(&catalog, &script.tables[0]).expect("it can be a view")).expect("free");
    // A view that is followed does not rest: each tick is worked off, and its changes are decoded.
    let options = SubscribeOptions { snapshot: false, peer: "bench".into(), pace: Pace::Live };
    let _follower = dataflow.subscribe("grouped", options).expect("the view is there");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers starts");
    let mut spent = Duration::ZERO;
    for number in 0..WARM_UP + ticks {
        let time = TickTime(1_700_000_000_000 + number as u64 * TICK_MS);
        let exchanges = exchanges(number, rows);
        let columns = HTTP_EVENTS.columns.iter().map(|of| column(of, &exchanges, time.as_nanoseconds() - 1)).collect();
        let batch = RecordBatch::try_new(HTTP_EVENTS.storage_schema(), columns).expect("the columns are of the table");
        let tick = Tick { time, events: vec![(HTTP_EVENTS.name, batch)], ..Tick::default() };
        let start = Instant::now();
        input.push_wait(tick);
        runtime.block_on(dataflow.closed_at(time));
        if number >= WARM_UP {
            spent += start.elapsed();
        }
    }
    spent
}

/// From rows to the consolidated changes of both aggregates, which are not even joined.
fn theirs(ticks: usize, rows: usize) -> Duration {
    let workers = CircuitConfig::with_workers(1);
    let (mut circuit, (input, sums, maxima)) = Runtime::init_circuit(workers, |circuit| {
        let (stream, input) = circuit.add_input_zset::<Tup4<i64, u32, String, i64>>();
        let latencies = stream
            .filter(|Tup4(status, _, _, _)| *status == 200)
            .map_index(|Tup4(_, service, path, latency)| (Tup2(*service, path.clone()), *latency));
        let sums = latencies.aggregate_linear(|latency| Tup2(1 as ZWeight, *latency as ZWeight));
        let maxima = latencies.aggregate(Max);
        Ok((input, sums.accumulate_output(), maxima.accumulate_output()))
    })
    .expect("the circuit is built");
    let mut spent = Duration::ZERO;
    for number in 0..WARM_UP + ticks {
        let exchanges = exchanges(number, rows);
        let row = |row: &Exchange| Tup2(Tup4(row.status, row.service, path(row.path), row.latency), 1);
        let mut updates: Vec<_> = exchanges.iter().map(row).collect();
        let start = Instant::now();
        input.append(&mut updates);
        circuit.transaction().expect("the transaction runs");
        let changes = (sums.concat().consolidate(), maxima.concat().consolidate());
        if number >= WARM_UP {
            spent += start.elapsed();
        }
        drop(changes);
    }
    spent
}

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

fn main() {
    let (ticks, rows, rounds) = (number("TICKS", 200), number("ROWS", 10_000), number("ROUNDS", 5));
    let ns = |spent: Duration| spent.as_secs_f64() * 1e9 / (ticks * rows) as f64;
    println!("{ticks} ticks of {rows} rows");
    let round = |_| {
        let (ours, theirs) = (ns(ours(ticks, rows)), ns(theirs(ticks, rows)));
        println!("  ours {ours:.0} ns a row, dbsp {theirs:.0} ns a row, {:.2} x", theirs / ours);
        theirs / ours
    };
    let mut ratios: Vec<f64> = (0..rounds).map(round).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    println!("median {:.2} x", ratios[rounds / 2]);
}
