//! Small exchanges a second and bulk bytes a second through each parser, and allocations an exchange in steady state.

#[path = "parsers/allocations.rs"]
mod allocations;
#[path = "parsers/small.rs"]
mod small;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watershed_protocols::cql::Cql;
use watershed_protocols::mysql::Mysql;
use watershed_protocols::pgsql::Pgsql;
use watershed_protocols::redis::Redis;
use watershed_protocols::{Connection, ConnectionParser, Direction, Pool, Protocol, Segment, Setup};

/// What one exchange is: the request's bytes and the answer's.
type Pair = (Vec<u8>, Vec<u8>);

struct Running<P> {
    parser: Connection<P>,
    pool: Pool,
    positions: [u64; 2],
    time_ns: i64,
    exchanges: u64,
}

impl<P: Protocol> Running<P> {
    fn new() -> Self {
        let parser = Connection::new(Setup::default(), Direction::Sent);
        Running { parser, pool: Pool::default(), positions: [0; 2], time_ns: 0, exchanges: 0 }
    }

    fn feed(&mut self, direction: Direction, bytes: &[u8]) {
        self.time_ns += 1_000;
        let position = &mut self.positions[direction as usize];
        let length = bytes.len() as u32;
        let segment = Segment { position: *position, length, captured: bytes, direction, time_ns: self.time_ns };
        *position += u64::from(length);
        let exchanges = &mut self.exchanges;
        self.parser.segment(&segment, &mut self.pool, &mut |_| *exchanges += 1);
    }

    fn exchange(&mut self, pair: &Pair) {
        self.feed(Direction::Sent, &pair.0);
        self.feed(Direction::Received, &pair.1);
    }
}

fn count_allocations<P: Protocol>(name: &str, pair: &Pair) {
    let mut running = Running::<P>::new();
    (0..1_000).for_each(|_| running.exchange(pair));
    let (before, exchanges) = (allocations::made(), running.exchanges);
    assert!(exchanges >= 1_000, "{name}: every pair is an exchange");
    (0..10_000).for_each(|_| running.exchange(pair));
    let made = allocations::made() - before;
    println!("{name}: {:.2} allocations an exchange", made as f64 / (running.exchanges - exchanges) as f64);
}

fn measure<P: Protocol>(criterion: &mut Criterion, name: &str, small: &Pair, bulk: &Pair) {
    count_allocations::<P>(name, small);
    let mut group = criterion.benchmark_group(name);
    let mut running = Running::<P>::new();
    group.throughput(Throughput::Elements(1));
    group.bench_function("small exchanges", |bencher| bencher.iter(|| running.exchange(small)));
    let mut running = Running::<P>::new();
    group.throughput(Throughput::Bytes((bulk.0.len() + bulk.1.len()) as u64));
    group.bench_function("bulk", |bencher| bencher.iter(|| running.exchange(bulk)));
    running.exchanges = 0;
    running.exchange(bulk);
    assert_eq!(running.exchanges, 1, "{name}: the long answer is an exchange too");
    group.finish();
}

fn redis(criterion: &mut Criterion) {
    let get = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000001\r\n".to_vec();
    let value = vec![b'x'; 1 << 20];
    let bulk = [b"$1048576\r\n", &value[..], b"\r\n"].concat();
    measure::<Redis>(criterion, "redis", &(get.clone(), b"$5\r\nhello\r\n".to_vec()), &(get, bulk));
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

fn pgsql(criterion: &mut Criterion) {
    let query = message(b'Q', b"select abalance from accounts where aid = 4711\0");
    let row =
        |length: usize| message(b'D', &[&b"\0\x01"[..], &(length as u32).to_be_bytes(), &vec![b'7'; length]].concat());
    let description = message(b'T', b"\0\x01abalance\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
    let end = [message(b'C', b"SELECT 1\0"), message(b'Z', b"I")].concat();
    let small = [&description[..], &row(4), &end].concat();
    let bulk = [&description[..], &row(64 << 10).repeat(16), &end].concat();
    measure::<Pgsql>(criterion, "pgsql", &(query.clone(), small), &(query, bulk));
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
    [&[a, b, c, sequence][..], payload].concat()
}

fn mysql(criterion: &mut Criterion) {
    let query = packet(0, b"\x03select abalance from accounts where aid = 4711");
    let answer = |row: &[u8]| {
        let column = b"\x03def\0\0\0\x01a\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0";
        let payloads = [b"\x01", &column[..], b"\xfe\0\0\x02\0", row, b"\xfe\0\0\x02\0"];
        payloads.iter().zip(1..).flat_map(|(payload, sequence)| packet(sequence, payload)).collect::<Vec<u8>>()
    };
    let bulk = [&b"\xfd\0\0\x10"[..], &vec![b'x'; 1 << 20]].concat();
    measure::<Mysql>(criterion, "mysql", &(query.clone(), answer(b"\x017")), &(query, answer(&bulk)));
}

fn envelope(version: u8, opcode: u8, body: &[u8]) -> Vec<u8> {
    [&[version, 0, 0, 1, opcode][..], &(body.len() as u32).to_be_bytes(), body].concat()
}

fn cql(criterion: &mut Criterion) {
    let text = b"select name from items where id = 4711";
    let query = envelope(4, 7, &[&(text.len() as u32).to_be_bytes()[..], text, b"\0\x01\0"].concat());
    let rows = |value: &[u8]| {
        let head = b"\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\x01k\0\x01t\0\x04name\0\x0d\0\0\0\x01";
        envelope(0x84, 8, &[&head[..], &(value.len() as u32).to_be_bytes(), value].concat())
    };
    measure::<Cql>(criterion, "cql", &(query.clone(), rows(b"tea")), &(query, rows(&vec![b'x'; 1 << 20])));
}

criterion_group!(parsers, redis, pgsql, mysql, cql, small::all, small::http2);
criterion_main!(parsers);
