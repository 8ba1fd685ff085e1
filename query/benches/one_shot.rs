//! One-shot questions over ten million stored exchanges: filter, then group by service and path. `benches/one_shot.py`
//! asks DuckDB the same of the same rows and prints the ratio.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::array::{TimestampNanosecondArray, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use watershed_model::tables::{HTTP_EVENTS, K8S_CONTAINERS, K8S_PODS, PROCESSES};
use watershed_model::{Table, TickTime, Upid};
use watershed_query::{Catalog, Snapshot, compile, execute};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVICES: usize = 50;
const PATHS: usize = 1000;
const BATCH_ROWS: usize = 100_000;
const NOW_MS: u64 = 1_700_000_000_000;
const RUNS: usize = 5;

const QUESTIONS: [(&str, &str); 2] = [
    ("count, avg, max", "count(*) AS n, avg(latency) AS mean, max(latency) AS slowest"),
    ("count, p50, p99", "count(*) AS n, quantile(latency, 0.5) AS p50, quantile(latency, 0.99) AS p99"),
];

struct Rows(BTreeMap<&'static str, Vec<RecordBatch>>);

impl Snapshot for Rows {
    fn time(&self) -> TickTime {
        TickTime(NOW_MS)
    }

    fn batches(&self, table: &str) -> Vec<RecordBatch> {
        self.0.get(table).cloned().unwrap_or_default()
    }
}

/// A batch of which some columns are given; all others are empty, zero or false.
fn batch(table: &Table, rows: usize, given: &[(&str, ArrayRef)]) -> RecordBatch {
    let schema: SchemaRef = table.storage_schema();
    let columns = schema.fields().iter().map(|field| {
        let known = given.iter().find(|(name, _)| name == field.name()).map(|(_, array)| Arc::clone(array));
        known.unwrap_or_else(|| empty(field.data_type(), rows))
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("the columns are of the table")
}

fn empty(data_type: &DataType, rows: usize) -> ArrayRef {
    match data_type {
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(std::iter::repeat_n("", rows))),
        DataType::Binary => Arc::new(BinaryArray::from_iter_values(std::iter::repeat_n(b"", rows))),
        DataType::FixedSizeBinary(16) => sixteen(std::iter::repeat_n([0; 16], rows)),
        other => {
            let zero = datafusion::scalar::ScalarValue::new_default(other).ok();
            zero.and_then(|zero| zero.to_array_of_size(rows).ok()).unwrap_or_else(|| new_null_array(other, rows))
        }
    }
}

fn sixteen(values: impl Iterator<Item = [u8; 16]>) -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_from_iter(values).expect("all values have 16 bytes"))
}

fn upid(service: usize) -> [u8; 16] {
    Upid { asid: 1, pid: service as u32 + 1, start_ticks: 7 }.to_bytes()
}

/// The same numbers as `benches/one_shot.py` makes.
fn exchanges(first: usize) -> RecordBatch {
    let numbers = || (first..first + BATCH_ROWS).map(|row| (row as u64).wrapping_mul(2_654_435_761) % 4_294_967_296);
    let times = (first..first + BATCH_ROWS).map(|row| (NOW_MS as i64 - 60_000) * 1_000_000 + row as i64);
    let paths = numbers().map(|n| format!("/api/v1/items/{}", n / 64 % PATHS as u64));
    let given: [(&str, ArrayRef); 5] = [
        ("time_", Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("+00:00"))),
        ("upid", sixteen(numbers().map(|n| upid((n % SERVICES as u64) as usize)))),
        ("req_path", Arc::new(BinaryArray::from_iter_values(paths.map(String::into_bytes)))),
        ("resp_status", Arc::new(Int64Array::from_iter_values(numbers().map(|n| if n % 10 == 0 { 500 } else { 200 })))),
        ("latency", Arc::new(Int64Array::from_iter_values(numbers().map(|n| (n % 100_000_007) as i64)))),
    ];
    batch(&HTTP_EVENTS, BATCH_ROWS, &given)
}

fn texts(make: impl Fn(usize) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..SERVICES).map(make)))
}

fn world(rows: usize) -> Rows {
    let processes = [("upid", sixteen((0..SERVICES).map(upid))), ("container", texts(|at| format!("container-{at}")))];
    let containers = [("container_id", texts(|at| format!("container-{at}"))), ("pod_id", texts(|at| format!("{at}")))];
    let pods = [("pod_id", texts(|at| format!("{at}"))), ("service_name", texts(|at| format!("shop/service-{at}")))];
    let events = (0..rows / BATCH_ROWS).map(|at| exchanges(at * BATCH_ROWS)).collect();
    Rows(BTreeMap::from([
        (HTTP_EVENTS.name, events),
        (PROCESSES.name, vec![batch(&PROCESSES, SERVICES, &processes)]),
        (K8S_CONTAINERS.name, vec![batch(&K8S_CONTAINERS, SERVICES, &containers)]),
        (K8S_PODS.name, vec![batch(&K8S_PODS, SERVICES, &pods)]),
    ]))
}

fn main() {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(10_000_000);
    let snapshot: Arc<dyn Snapshot> = Arc::new(world(rows));
    let catalog = Catalog::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers starts");
    for (name, aggregates) in QUESTIONS {
        let text = format!(
            "SELECT upid_to_service_name(upid) AS service, req_path, {aggregates} FROM http_events \
             WHERE resp_status = 200 GROUP BY upid_to_service_name(upid), req_path"
        );
        let script = compile(&catalog, &text, "one_shot.sql").expect("it compiles");
        let mut seconds: Vec<f64> = Vec::new();
        let mut groups = 0;
        for _ in 0..RUNS {
            let start = Instant::now();
            let answer = runtime.block_on(execute(&catalog, &script.tables[0], Arc::clone(&snapshot)));
            seconds.push(start.elapsed().as_secs_f64());
            groups = answer.expect("it answers").iter().map(RecordBatch::num_rows).sum();
        }
        let fastest = seconds.iter().copied().fold(f64::INFINITY, f64::min);
        println!("{name}: {fastest:.3} s for {rows} rows, {groups} groups");
    }
}
