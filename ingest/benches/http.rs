//! From events of a load tool's traffic to rows of `http_events`: ns an exchange.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watershed_ingest::event::{Connection, Endpoint, Event, Role};
use watershed_ingest::{Config, Tables};

const CONNECTIONS: u64 = 64;
const EXCHANGES_EACH: u64 = 16;
const REQUEST: &[u8] = b"GET /1k.txt HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
const RESPONSE_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Wed, 25 Nov 2026 02:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 1024\r\nLast-Modified: Wed, 25 Nov 2026 01:00:00 GMT\r\n\
    Connection: keep-alive\r\nETag: \"65a1b2c3-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

fn endpoint(port: u16) -> Endpoint {
    Endpoint { address: std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets(), port }
}

fn http(criterion: &mut Criterion) {
    let length = RESPONSE_HEAD.len() as u32 + 1024;
    let mut response = RESPONSE_HEAD.to_vec();
    response.resize(320, b'x');
    let mut tables = Tables::new(&Config::default());
    tables.apply(&Event::Clock { monotonic_ns: 0, boottime_ns: 0, realtime_ns: 1_000_000_000_000 });
    for cookie in 1..=CONNECTIONS {
        tables.apply(&Event::Open(Connection {
            cookie,
            tgid: 10,
            start_boottime_ns: 50_000_000,
            netns: 1,
            family: 2,
            role: Role::Server,
            local: endpoint(80),
            remote: endpoint(40_000 + cookie as u16),
            ..Connection::default()
        }));
    }
    let (mut requested, mut responded, mut time_ns, mut tick) = (0_u64, 0_u64, 0_u64, 1_000_000_u64);
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Elements(CONNECTIONS * EXCHANGES_EACH));
    group.bench_function("exchange", |bencher| {
        bencher.iter(|| {
            for _ in 0..EXCHANGES_EACH {
                for cookie in 1..=CONNECTIONS {
                    time_ns += 1000;
                    let request = Event::Data {
                        time_ns,
                        cookie,
                        position: requested,
                        length: REQUEST.len() as u32,
                        sent: false,
                        tgid: 10,
                        captured: REQUEST,
                    };
                    tables.apply(&request);
                    let response = Event::Data {
                        time_ns: time_ns + 500,
                        cookie,
                        position: responded,
                        length,
                        sent: true,
                        tgid: 10,
                        captured: &response,
                    };
                    tables.apply(&response);
                }
                requested += REQUEST.len() as u64;
                responded += u64::from(length);
            }
            tick += 100;
            tables.apply(&Event::Tick { time: tick })
        });
    });
    group.finish();
}

criterion_group!(benches, http);
criterion_main!(benches);
