//! How a Kafka sink compares with a plain producer of the same records, transactions and settings. Measured by hand:
//! `cargo test --release -p watershed-sinks --test battery speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};

use crate::cases;
use crate::kafka::Kafka;
use crate::view::View;

const TRANSACTIONS: usize = 50;
const RECORDS: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(30);

fn value(key: &str, n: i64, time: u64) -> String {
    format!(
        "{{\"before\":null,\"after\":{{\"key\":\"{key}\",\"n\":{n}}},\"op\":\"c\",\"ts_ms\":{time},\
         \"source\":{{\"node\":\"test\",\"view\":\"numbers\",\"time\":{time}}}}}"
    )
}

/// Records a second of a producer that has them ready.
fn plain(brokers: &str, round: usize) -> f64 {
    let settings = [
        ("bootstrap.servers", brokers),
        ("transactional.id", &format!("plain-{round}")),
        ("acks", "all"),
        ("compression.type", "lz4"),
        ("linger.ms", "5"),
        ("queue.buffering.max.kbytes", "65536"),
    ];
    let config: ClientConfig = settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    let topic = format!("plain-{round}");
    let values: Vec<String> = (0..RECORDS).map(|n| value(&format!("key-{n}"), n as i64, 1_700_000_000_000)).collect();
    // The topic is there, and its leader known, before the clock runs.
    producer.begin_transaction().unwrap();
    producer.send(BaseRecord::<(), str>::to(&topic).payload("first")).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();
    let begun = Instant::now();
    for _ in 0..TRANSACTIONS {
        producer.begin_transaction().unwrap();
        for value in values.iter().chain([&"{\"time\":1700000000000}".to_owned()]) {
            let mut record = BaseRecord::<(), str>::to(&topic).payload(value);
            while let Err((_, back)) = producer.send(record) {
                std::thread::sleep(Duration::from_millis(5));
                record = back;
            }
        }
        // As the sink does it: the client itself looks every 100 ms only.
        while producer.flush(Duration::ZERO).is_err() {
            std::thread::sleep(Duration::from_micros(500));
        }
        producer.commit_transaction(PATIENCE).unwrap();
    }
    (TRANSACTIONS * RECORDS) as f64 / begun.elapsed().as_secs_f64()
}

/// Records a second of a sink that never waits for its view.
async fn sink(kafka: &Kafka, round: usize) -> f64 {
    let view = View::new(false);
    let running = cases::start(kafka, &view, "1GiB");
    view.change(&[(&format!("round-{round}"), 1, 1)]);
    let status = running.status().clone();
    cases::until("the topic is open", || status.snapshot().frontier >= view.time()).await;
    let keys: Vec<String> = (0..RECORDS).map(|n| format!("key-{n}")).collect();
    let begun = Instant::now();
    for at in 0..TRANSACTIONS {
        let diff = if at % 2 == 0 { 1 } else { -1 };
        let changes: Vec<_> = keys.iter().enumerate().map(|(n, key)| (key.as_str(), n as i64, diff)).collect();
        view.change(&changes);
        // At most one waits, so that each is a transaction of its own.
        while status.snapshot().frontier + 100 < view.time() {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    cases::until("all is written", || status.snapshot().frontier >= view.time()).await;
    let speed = (TRANSACTIONS * RECORDS) as f64 / begun.elapsed().as_secs_f64();
    running.stop().await;
    speed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, for release builds on a quiet machine"]
async fn a_sink_against_a_plain_producer() {
    let mut kafka = match Kafka::new("changes") {
        Ok(kafka) => kafka,
        Err(reason) => return eprintln!("skipped: {reason}"),
    };
    for round in 0..5 {
        // Views begin at the same time, which a topic takes once.
        kafka.topic = format!("sink-{round}");
        let brokers = kafka.broker.address();
        let plain = tokio::task::block_in_place(|| plain(&brokers, round));
        let sink = sink(&kafka, round).await;
        println!("plain {plain:.0} records/s, sink {sink:.0} records/s, ratio {:.2}", sink / plain);
    }
}
