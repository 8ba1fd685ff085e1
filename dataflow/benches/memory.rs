//! Resident memory of many views with many live groups: what 50 views over a million groups in all cost a group, beside
//! what the table store holds anyway.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, Int64Array, RecordBatch, TimestampNanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use watershed_dataflow::{Config, Dataflow};
use watershed_model::tables::HTTP_EVENTS;
use watershed_model::{Column, Tick, TickTime, Upid};
use watershed_query::{Catalog, compile, lower};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const VIEWS: usize = 50;
const PATHS: usize = 1_000;
/// Each group has so many rows, in as many panes.
const ROWS_OF_A_GROUP: usize = 2;
const TICK_MS: u64 = 1_000;
/// Page of this kernel.
const PAGE_BYTES: usize = 4_096;

const QUESTIONS: [(&str, &str); 2] = [
    ("count, avg, max", "count(*) AS n, avg(latency) AS mean, max(latency) AS slowest"),
    ("count, p50, p99", "count(*) AS n, quantile(latency, 0.5) AS p50, quantile(latency, 0.99) AS p99"),
];

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells what a process holds");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("the second number is resident pages") * PAGE_BYTES
}

fn column(column: &Column, groups: usize, time: u64) -> ArrayRef {
    let rows = 0..groups;
    match column.name {
        "time_" => {
            let first = TickTime(time).as_nanoseconds() - 1_000_000;
            Arc::new(TimestampNanosecondArray::from(vec![first; groups]).with_timezone("+00:00"))
        }
        "upid" => {
            let upid = |row: usize| Upid { asid: 1, pid: (row / PATHS) as u32 + 1, start_ticks: 7 }.to_bytes();
            Arc::new(FixedSizeBinaryArray::try_from_iter(rows.map(upid)).expect("all are as long"))
        }
        "req_path" => {
            let paths = rows.map(|row| format!("/api/v1/items/{}", row % PATHS).into_bytes());
            Arc::new(BinaryArray::from_iter_values(paths))
        }
        "latency" => Arc::new(Int64Array::from_iter_values(rows.map(|row| (row as i64 * 7_919) % 900_000 + 50_000))),
        "resp_status" => Arc::new(Int64Array::from(vec![200; groups])),
        _ => {
            let field = column.storage_field();
            match field.data_type() {
                DataType::FixedSizeBinary(_) => {
                    Arc::new(FixedSizeBinaryArray::try_from_iter(rows.map(|_| [0; 16])).expect("all are as long"))
                }
                DataType::Binary => Arc::new(BinaryArray::from_iter_values(rows.map(|_| b""))),
                other => cast(&Int64Array::from(vec![0; groups]), other).expect("zero is of every other type"),
            }
        }
    }
}

/// Bytes a group that the views add.
fn measured(aggregates: &str, groups: usize) -> usize {
    let (dataflow, input, running) = Dataflow::start(Config::default()).expect("the threads start");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers starts");
    let mut time = 1_700_000_000_000;
    let mut close = |events: bool| {
        time += TICK_MS;
        let mut tick = Tick { time: TickTime(time), ..Tick::default() };
        if events {
            let columns = HTTP_EVENTS.columns.iter().map(|of| column(of, groups, time)).collect();
            let rows = RecordBatch::try_new(HTTP_EVENTS.storage_schema(), columns);
            tick.events.push((HTTP_EVENTS.name, rows.expect("the columns are of the table")));
        }
        input.push_wait(tick);
        runtime.block_on(dataflow.closed_at(TickTime(time)));
    };
    (0..ROWS_OF_A_GROUP).for_each(|_| close(true));
    let catalog = Catalog::new();
    let text = format!(
        "SELECT upid, req_path, {aggregates} FROM http_events \
         WHERE resp_status = 200 AND time_ > now() - INTERVAL '5 minutes' GROUP BY upid, req_path"
    );
    let script = compile(&catalog, &text, "memory.sql").expect("it compiles");
    // The planner's code is resident from here on.
    drop(lower(&catalog, &script.tables[0]));
    let before = resident_bytes();
    for view in 0..VIEWS {
        let plan = lower(&catalog, &script.tables[0]).expect("it can be a view");
        dataflow.create_view(&format!("view_{view}"), plan).expect("its name is free");
    }
    // Merging of what was loaded goes on for some ticks, and what is freed goes back to the system after a while.
    for _ in 0..60 {
        close(false);
        std::thread::sleep(Duration::from_millis(TICK_MS / 10));
    }
    let bytes = resident_bytes().saturating_sub(before);
    running.shutdown();
    bytes / (VIEWS * groups)
}

fn main() {
    let groups = std::env::var("LIVE_GROUPS").ok().and_then(|groups| groups.parse().ok()).unwrap_or(1_000_000) / VIEWS;
    // The memory of one question is not given back before the next, so each has a process.
    let Ok(chosen) = std::env::var("QUESTION") else {
        let program = std::env::current_exe().expect("the program has a path");
        for at in 0..QUESTIONS.len() {
            let status = std::process::Command::new(&program).env("QUESTION", at.to_string()).status();
            assert!(status.is_ok_and(|status| status.success()), "question {at} fails");
        }
        return;
    };
    let Some((name, aggregates)) = chosen.parse().ok().and_then(|at: usize| QUESTIONS.get(at)) else {
        return eprintln!("QUESTION is a number below {}", QUESTIONS.len());
    };
    println!("{name}: {} bytes a group, {VIEWS} views of {groups} groups", measured(aggregates, groups));
}
