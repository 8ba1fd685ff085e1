//! Small exchanges of the protocols whose bulk is nothing special.

use criterion::{Criterion, Throughput};
use watershed_protocols::amqp::Amqp;
use watershed_protocols::dns::Dns;
use watershed_protocols::http2::Http2;
use watershed_protocols::kafka::Kafka;
use watershed_protocols::mongodb::Mongodb;
use watershed_protocols::mux::Mux;
use watershed_protocols::nats::Nats;
use watershed_protocols::websocket::Websocket;
use watershed_protocols::{Direction, Protocol};

use crate::{Pair, Running, allocations, count_allocations};

fn measure<P: Protocol>(criterion: &mut Criterion, name: &str, pair: &Pair) {
    count_allocations::<P>(name, pair);
    let mut running = Running::<P>::new();
    (0..100).for_each(|_| running.exchange(pair));
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(running.exchanges / 100));
    group.bench_function("small exchanges", |bencher| bencher.iter(|| running.exchange(pair)));
    group.finish();
}

/// All of them whose bytes can be the same each time.
pub(crate) fn all(criterion: &mut Criterion) {
    measure::<Amqp>(criterion, "amqp", &amqp());
    measure::<Dns>(criterion, "dns", &dns());
    measure::<Kafka>(criterion, "kafka", &kafka());
    measure::<Mongodb>(criterion, "mongodb", &mongodb());
    measure::<Mux>(criterion, "mux", &mux());
    measure::<Nats>(criterion, "nats", &(b"PUB subject 5\r\nhello\r\n".to_vec(), b"+OK\r\n".to_vec()));
    measure::<Websocket>(criterion, "websocket", &websocket());
}

fn amqp() -> Pair {
    let frame = |method: &[u8]| [b"\x01\0\x01", &(method.len() as u32).to_be_bytes()[..], method, b"\xce"].concat();
    (frame(b"\0\x32\0\x0a\0\0\x05queue\0\0\0\0\0"), frame(b"\0\x32\0\x0b\x05queue\0\0\0\0\0\0\0\0"))
}

fn dns() -> Pair {
    let framed = |message: &[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
    let question = b"\x07example\x03com\0\0\x01\0\x01";
    let answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01";
    let query = [&b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"[..], question].concat();
    (framed(&query), framed(&[&b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0"[..], question, answer].concat()))
}

fn kafka() -> Pair {
    let sized = |message: &[u8]| [&(message.len() as u32).to_be_bytes()[..], message].concat();
    (sized(b"\0\x0c\0\0\0\0\0\x07\0\x01c\0\x05group\0\0\0\x01\0\x06member"), sized(b"\0\0\0\x07\0\0"))
}

fn mongodb() -> Pair {
    let message = |ids: &[u8; 8], fields: &[u8]| {
        let document = [&(fields.len() as u32 + 5).to_le_bytes()[..], fields, b"\0"].concat();
        let body = [&ids[..], &2013_u32.to_le_bytes(), &[0; 5], &document].concat();
        [&(body.len() as u32 + 4).to_le_bytes()[..], &body].concat()
    };
    let ping = b"\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0";
    (message(b"\x05\0\0\0\0\0\0\0", ping), message(b"\x06\0\0\0\x05\0\0\0", b"\x01ok\0\0\0\0\0\0\0\xf0\x3f"))
}

fn mux() -> Pair {
    let message = |kind: u8, body: &[u8]| [&(body.len() as u32 + 4).to_be_bytes()[..], &[kind, 0, 0, 2], body].concat();
    (message(2, b"\0\0\0\x08/s/users\0\0a request"), message(0xfe, b"\0\0\0an answer"))
}

/// Two messages, none of which answers the other.
fn websocket() -> Pair {
    let text = br#"{"price":1.5,"of":"tea"}"#;
    let masked: Vec<u8> = text.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let length = text.len() as u8;
    ([&[0x81, 0x80 | length, 1, 2, 3, 4], &masked[..]].concat(), [&[0x81, length], &text[..]].concat())
}

/// A call of gRPC with a message each way, on a stream of its own.
pub(crate) fn http2(criterion: &mut Criterion) {
    let mut running = Running::<Http2>::new();
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    running.feed(Direction::Sent, &[&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], settings].concat());
    running.feed(Direction::Received, settings);
    // Literals with indexing the first time, as all clients do; indexes from then on.
    let first = b"\x83\x86\x40\x05:path\x10/test.Echo/Unary\x41\x09localhost\x40\x0ccontent-type\x10application/grpc";
    let answer = b"\x88\x40\x0ccontent-type\x10application/grpc";
    call(&mut running, 1, [&first[..], &answer[..], b"\x40\x0bgrpc-status\x010"]);
    let again: [&[u8]; 3] = [b"\x83\x86\xc0\xbf\xbe", b"\x88\xbf", b"\xbe"];
    let mut stream = 1;
    let mut next = move |running: &mut Running<Http2>| {
        stream += 2;
        call(running, stream, again);
    };
    (0..1_000).for_each(|_| next(&mut running));
    let (before, exchanges) = (allocations::made(), running.exchanges);
    assert!(exchanges > 1_000, "http2: every call is an exchange, {exchanges}");
    (0..10_000).for_each(|_| next(&mut running));
    let made = (allocations::made() - before) as f64;
    println!("http2: {:.2} allocations an exchange", made / (running.exchanges - exchanges) as f64);
    let mut group = criterion.benchmark_group("http2");
    group.throughput(Throughput::Elements(1));
    group.bench_function("small exchanges", |bencher| bencher.iter(|| next(&mut running)));
    group.finish();
}

fn call(running: &mut Running<Http2>, stream: u32, [asked, answered, ended]: [&[u8]; 3]) {
    let frame = |kind: u8, flags: u8, content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
    };
    let message = b"\0\0\0\0\x05\x0a\x03abc";
    running.feed(Direction::Sent, &[frame(1, 4, asked), frame(0, 1, message)].concat());
    running.feed(Direction::Received, &[frame(1, 4, answered), frame(0, 0, message), frame(1, 5, ended)].concat());
}
