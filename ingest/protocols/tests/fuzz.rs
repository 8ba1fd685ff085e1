//! Mutated real conversations through every parser: no panic, no allocation over the budget, no input that takes much
//! longer than others. `WATERSHED_FUZZ_ITERATIONS` says how many inputs each gets.
#![allow(clippy::unwrap_used)]

#[path = "fuzz/allocations.rs"]
mod allocations;
#[path = "fuzz/corpus.rs"]
mod corpus;

use std::time::{Duration, Instant};

use corpus::{Corpus, Random};
use watershed_protocols::{
    amqp, cql, dns, http1, http2, kafka, mongodb, mux, mysql, nats, pgsql, redis, tls, websocket,
};

const ITERATIONS: u64 = 20_000;
/// What one input of a few KiB may make a parser hold: the buffers of both directions, the texts of the exchanges that
/// wait, the dictionaries of decoders.
const LIVE_BYTES_MAX: u64 = 16 << 20;
/// No input comes near this but one that takes more than linear time.
const SLOWEST: Duration = Duration::from_millis(500);
const DOUBTFUL: Duration = Duration::from_millis(1);

fn iterations() -> u64 {
    std::env::var("WATERSHED_FUZZ_ITERATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(ITERATIONS)
}

/// Shows the input when the parser panics.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("the input was {digits}");
        }
    }
}

/// How long an input takes. What seems long is tried again, since another process may have had the processor.
fn took(began: Instant, again: impl Fn() -> u64) -> Duration {
    let mut took = began.elapsed();
    for _ in 0..5 {
        if took < DOUBTFUL {
            break;
        }
        let began = Instant::now();
        again();
        took = took.min(began.elapsed());
    }
    took
}

fn campaign(name: &str, seeds: &[&str], run: fn(&[u8]) -> u64) {
    let corpus = Corpus::new(seeds);
    let mut random = Random::of(name);
    let (mut input, mut exchanges, mut most_bytes) = (Vec::new(), 0, 0);
    let mut slowest = Duration::ZERO;
    let iterations = iterations();
    for _ in 0..iterations {
        corpus.write(&mut random, &mut input);
        let shown = Shown(&input);
        let (began, before) = (Instant::now(), allocations::begin());
        exchanges += run(shown.0);
        let live = allocations::most_since(before);
        assert!(live < LIVE_BYTES_MAX, "{name}: {live} bytes held at once");
        slowest = slowest.max(took(began, || run(shown.0)));
        assert!(slowest < SLOWEST, "{name}: {slowest:?} for {} bytes", shown.0.len());
        most_bytes = most_bytes.max(live);
    }
    assert!(exchanges > iterations / 20, "{name}: {exchanges} exchanges: the inputs are mostly understood");
    println!(
        "{name}: {iterations} inputs, {exchanges} exchanges, {most_bytes} bytes held at most, slowest {slowest:?}"
    );
}

macro_rules! campaigns {
    ($($test:ident: $run:path, [$($seeds:literal),*];)*) => {
        $(
            #[test]
            fn $test() {
                campaign(stringify!($test), &[$(include_str!(concat!("../fixtures/", $seeds, ".txt"))),*], $run);
            }
        )*
    };
}

campaigns! {
    fuzz_amqp: amqp::fuzz::run, ["amqp"];
    fuzz_cql: cql::fuzz::run, ["cql"];
    fuzz_dns: dns::fuzz::run, ["dns-udp", "dns-tcp"];
    fuzz_http1: http1::fuzz::run, ["http1", "websocket"];
    fuzz_http2: http2::fuzz::run, ["http2", "grpc"];
    fuzz_kafka: kafka::fuzz::run, ["kafka"];
    fuzz_mongodb: mongodb::fuzz::run, ["mongodb"];
    fuzz_mux: mux::fuzz::run, ["mux"];
    fuzz_mysql: mysql::fuzz::run, ["mysql"];
    fuzz_nats: nats::fuzz::run, ["nats"];
    fuzz_pgsql: pgsql::fuzz::run, ["pgsql"];
    fuzz_redis: redis::fuzz::run, ["redis"];
    fuzz_tls: tls::fuzz::run, ["tls"];
    fuzz_websocket: websocket::fuzz::run, ["websocket"];
}
