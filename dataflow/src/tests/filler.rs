//! Random rows for every table: a small world in which names, addresses and processes meet often.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use datafusion::scalar::ScalarValue;
use watershed_model::{Column, DataType, Kind, StateChange, Storage, Table, Tick, TickTime, Upid, tables};

/// Tables that the dataflow fills by itself.
const OWN: [&str; 3] = ["system.arrangements", "system.operators", "system.subscriptions"];
const BODIES: [&str; 6] = [
    "",
    "{\"id\": 7, \"name\": \"x\"}",
    "SELECT * FROM users WHERE id = 7",
    "GET k",
    "UPDATE t SET a = 'b'",
    "a\n\"b\"",
];

/// A seeded source of choices (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn number(&mut self) -> i64 {
        match self.below(8) {
            0..4 => self.below(4) as i64,
            4..7 => self.below(1_000_000) as i64,
            _ => self.of(&[-1, 5_000_000_000, 1_000_000]),
        }
    }
}

/// Makes ticks.
pub(super) struct Filler {
    pub(super) random: Random,
    /// Rows of state tables by table and key.
    standing: BTreeMap<(&'static str, String), RecordBatch>,
}

impl Filler {
    pub(super) fn new(seed: u64) -> Self {
        Filler { random: Random(seed), standing: BTreeMap::new() }
    }

    /// Some rows for most of the tables.
    pub(super) fn tick(&mut self, time: TickTime) -> Tick {
        let mut tick = Tick { time, ..Tick::default() };
        for table in tables::ALL.iter().filter(|table| !OWN.contains(&table.name)) {
            match table.kind {
                Kind::Event => {
                    let rows: Vec<_> = (0..self.random.below(5)).map(|_| self.row(table, time)).collect();
                    if !rows.is_empty() {
                        tick.events.push((table.name, concat_batches(&table.storage_schema(), &rows).unwrap()));
                    }
                }
                Kind::State => tick.states.extend(self.change(table, time)),
            }
        }
        if self.random.below(3) == 0 {
            self.story(&mut tick);
        }
        tick
    }

    /// What chance brings too rarely: a request that sends one statement again and again, and an edge that is new.
    fn story(&mut self, tick: &mut Tick) {
        let at = |ms_ago: i64| {
            let time = tick.time.as_nanoseconds() - ms_ago * 1_000_000;
            ("time_", ScalarValue::TimestampNanosecond(Some(time), Some("+00:00".into())))
        };
        let number = |name, value: i64| (name, ScalarValue::Int64(Some(value)));
        let process = ("upid", upid(9));
        let served = [at(0), process.clone(), number("trace_role", 2), number("latency", 900_000_000)];
        let sent = |ms_ago| {
            let statement = ("req_body", bytes(b"SELECT name FROM item WHERE id = 7"));
            vec![
                at(ms_ago),
                process.clone(),
                number("trace_role", 1),
                number("latency", 1_000),
                number("req_cmd", 3),
                statement,
            ]
        };
        let edge = |ms_ago, last| {
            vec![
                at(ms_ago),
                process.clone(),
                ("remote_upid", upid(0)),
                ("remote_addr", address(last)),
                number("trace_role", 1),
            ]
        };
        let mut told = vec![(&tables::HTTP_EVENTS, served.to_vec())];
        told.extend((0..6).map(|count| (&tables::MYSQL_EVENTS, sent(count * 100))));
        told.extend([(&tables::CONN_STATS, edge(0, 99)), (&tables::CONN_STATS, edge(5_000_000, 98))]);
        let time = tick.time;
        let rows: Vec<_> =
            told.into_iter().map(|(table, values)| (table, self.row_with(table, time, &values))).collect();
        for (table, row) in rows {
            match tick.events.iter_mut().find(|(name, _)| *name == table.name) {
                Some((_, present)) => *present = concat_batches(&present.schema(), [&*present, &row]).unwrap(),
                None => tick.events.push((table.name, row)),
            }
        }
    }

    /// Rows of a state table that come, go or are replaced.
    fn change(&mut self, table: &'static Table, time: TickTime) -> Option<StateChange> {
        let (mut rows, mut diffs) = (Vec::new(), Vec::new());
        for _ in 0..self.random.below(3) {
            let row = self.row(table, time);
            let key = (table.name, key_of(table, &row));
            if let Some(old) = self.standing.remove(&key) {
                rows.push(old);
                diffs.push(-1);
                if self.random.below(4) == 0 {
                    continue;
                }
            }
            self.standing.insert(key, row.clone());
            rows.push(row);
            diffs.push(1);
        }
        let batch = (!rows.is_empty()).then(|| concat_batches(&table.storage_schema(), &rows).unwrap())?;
        Some(StateChange { table: table.name, rows: batch, diffs })
    }

    fn row(&mut self, table: &'static Table, time: TickTime) -> RecordBatch {
        self.row_with(table, time, &[])
    }

    /// A row in which some values are given.
    pub(super) fn row_with(
        &mut self,
        table: &'static Table,
        time: TickTime,
        given: &[(&str, ScalarValue)],
    ) -> RecordBatch {
        let entity = self.random.below(5);
        let columns: Vec<ArrayRef> = table
            .columns
            .iter()
            .map(|column| {
                let value = self.value(table, column, entity, time);
                let value =
                    given.iter().find(|(name, _)| *name == column.name).map_or(value, |(_, given)| given.clone());
                let stored = column.storage_field();
                value.cast_to(stored.data_type()).unwrap().to_array().unwrap()
            })
            .collect();
        RecordBatch::try_new(table.storage_schema(), columns).unwrap()
    }

    fn value(&mut self, table: &Table, column: &Column, entity: u64, time: TickTime) -> ScalarValue {
        let random = &mut self.random;
        match (column.data_type, column.storage) {
            (_, Storage::Address) => address(random.below(8) as u8),
            (_, Storage::HttpHeaders) => bytes(random.of(&[
                b"Host: shop\r\nContent-Type: application/json\r\n".as_slice(),
                b"X-B3-TraceId: 4bf92f\r\nHost: \xff\r\n",
                b"",
                b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
            ])),
            (_, Storage::Bytes) => bytes(body(random, column.name)),
            (DataType::Boolean, _) => ScalarValue::Boolean(Some(random.below(2) == 0)),
            (DataType::Uint128, _) if column.name == "upid" && table.kind == Kind::State => upid(entity as u32 + 1),
            (DataType::Uint128, _) => upid(random.below(7) as u32),
            (DataType::Float64, _) => ScalarValue::Float64(Some(random.number() as f64 / 7.0)),
            (DataType::Time64Ns, _) => moment(random, column.name, time),
            (DataType::Int64, _) => ScalarValue::Int64(Some(integer(random, table.name, column.name, entity))),
            (DataType::String, _) => ScalarValue::Utf8(Some(text(random, table.name, column.name, entity))),
        }
    }
}

/// What tells a state table's rows apart.
fn key_of(table: &Table, row: &RecordBatch) -> String {
    let parts = if table.name == "k8s.addresses" { [0, 2, 4].as_slice() } else { &[0] };
    let cell = |part: &usize| ScalarValue::try_from_array(row.column(*part), 0).unwrap().to_string();
    parts.iter().map(cell).collect::<Vec<_>>().join("|")
}

pub(super) fn upid(pid: u32) -> ScalarValue {
    let bytes = if pid == 0 { [0; 16] } else { Upid { asid: 1, pid, start_ticks: 7 }.to_bytes() };
    ScalarValue::FixedSizeBinary(16, Some(bytes.to_vec()))
}

pub(super) fn address(last: u8) -> ScalarValue {
    let bytes = match last {
        0 => vec![0; 16],
        1 => vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1],
        _ => vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, last],
    };
    ScalarValue::FixedSizeBinary(16, Some(bytes))
}

fn bytes(bytes: &[u8]) -> ScalarValue {
    ScalarValue::Binary(Some(bytes.to_vec()))
}

fn body(random: &mut Random, column: &str) -> &'static [u8] {
    match column {
        "req_path" => random
            .of(&["/", "/cart/7", "/cart/8?full=1", "/healthz", "/users/4bf92f35-77b3-4da6-a3ce-929d0e0e4736"])
            .as_bytes(),
        "req_method" => random.of(&["GET", "POST"]).as_bytes(),
        "req_cmd" => random.of(&["QUERY", "EXECUTE", "GET", "find"]).as_bytes(),
        "req_header" => {
            random.of(&["{\"queries\":[{\"name\":\"cart.shop\",\"type\":\"A\"}]}", "{\"txid\":3}"]).as_bytes()
        }
        _ if random.below(12) == 0 => b"\xff\xfe not text",
        _ => random.of(&BODIES).as_bytes(),
    }
}

fn moment(random: &mut Random, column: &str, time: TickTime) -> ScalarValue {
    let now = time.as_nanoseconds();
    let ago_ms = match random.below(8) {
        0..4 => random.below(2_000) as i64,
        4 => random.below(30) as i64 * 10_000,
        5 => random.below(700_000) as i64,
        6 => random.of(&[0, 300_000, 299_900, 300_100, 3_600_000]),
        _ => -(random.below(300) as i64),
    };
    let at = match column {
        "stop_time" | "exit_time" | "valid_to" if random.below(3) > 0 => 0,
        "valid_from" => 1_000_000_000 * random.below(3) as i64,
        _ => now - ago_ms * 1_000_000,
    };
    ScalarValue::TimestampNanosecond(Some(at), Some("+00:00".into()))
}

fn integer(random: &mut Random, table: &str, column: &str, entity: u64) -> i64 {
    match column {
        "pid" => entity as i64 + 1,
        "trace_role" => random.of(&[1, 2, 2, 4]),
        "resp_status" if table == "http_events" => random.of(&[200, 200, 204, 404, 500]),
        "protocol" => random.below(14) as i64,
        "latency" => 1 << random.below(34),
        "remote_port" | "local_port" => random.of(&[80, 3306, 40_000]),
        _ => random.number(),
    }
}

const PODS: [&str; 5] = ["shop/cart-1", "shop/cart-2", "db/mysql-0", "web/front-1", "web/front-2"];
const SERVICES: [&str; 4] = ["shop/cart", "db/mysql", "web/front", "web/all"];
const NAMESPACES: [&str; 3] = ["shop", "db", "web"];

fn text(random: &mut Random, table: &str, column: &str, entity: u64) -> String {
    let pod = random.below(5);
    let chosen = match (table, column) {
        ("k8s.pods", "pod_id") | ("k8s.containers", "container_id") => return format!("{column}-{entity}"),
        (_, "pod_id") => return format!("pod_id-{pod}"),
        ("processes", "container") => {
            return random.of(&["", "container_id-0", "container_id-1", "container_id-3"]).into();
        }
        ("k8s.services", "service_id") => return format!("service_id-{}", entity % 4),
        ("k8s.addresses", "id") => return format!("{}_id-{}", random.of(&["pod", "service"]), pod % 4),
        ("k8s.addresses", "kind") => random.of(&["pod", "service", "node"]),
        (_, "replicaset_id" | "deployment_id" | "namespace_id" | "node_id") => return format!("{column}-{}", pod % 3),
        ("k8s.pods" | "pod_events", "name" | "pod") => PODS[pod as usize],
        ("k8s.services", "name") => SERVICES[pod as usize % 4],
        ("k8s.namespaces", "name") | (_, "namespace") => random.of(&NAMESPACES),
        (_, "service_name") => random.of(&["", "shop/cart", "db/mysql", "[\"web/front\",\"web/all\"]"]),
        (_, "service_id") => random.of(&["", "service_id-0", "service_id-1", "[\"service_id-2\",\"service_id-3\"]"]),
        (_, "node" | "host") | ("k8s.nodes", "name") => random.of(&["n1", "n2"]),
        ("k8s.replicasets" | "k8s.deployments", "name") | (_, "replicaset_name" | "deployment_name") => {
            random.of(&["", "shop/cart", "db/mysql"])
        }
        (_, "ip" | "cluster_ip") => random.of(&["", "10.0.0.3", "10.0.0.4", "10.0.0.5"]),
        (_, "status" | "labels") => random.of(&["{}", "{\"state\":\"Running\",\"message\":\"\",\"reason\":\"\"}"]),
        (_, "phase") => random.of(&["Running", "Pending", "Failed"]),
        (_, "event") => random.of(&["created", "ready", "restarted", "oom_killed"]),
        (_, "stack_trace") => random.of(&["main;a;b", "main;a", "main;c;d;e", ""]),
        _ => random.of(&["", "a", "b", "a long name that is not inline"]),
    };
    chosen.into()
}
