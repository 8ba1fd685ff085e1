//! All protocols that a connection is judged among. The order is of no meaning.

use crate::amqp::Amqp;
use crate::connection::{Connection, ConnectionParser};
use crate::cql::Cql;
use crate::dns::Dns;
use crate::http1;
use crate::http2::Http2;
use crate::kafka::Kafka;
use crate::mongodb::Mongodb;
use crate::mux::Mux;
use crate::mysql::Mysql;
use crate::nats::Nats;
use crate::pgsql::Pgsql;
use crate::protocol::{Description, Inference, Protocol, RowTime, Setup, Side};
use crate::redis::Redis;
use crate::segment::Direction;
use crate::tls::Tls;
use crate::websocket::Websocket;

/// One protocol.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What is the same for all connections.
    pub description: &'static Description,
    /// Scores any buffer of a stream.
    pub infer: fn(&[u8]) -> Inference,
    /// Scores a datagram.
    pub infer_datagram: fn(&[u8]) -> Inference,
    /// Makes a parser, given which way requests go; HTTP/1 has one of its own.
    pub make: Option<Make>,
}

/// Makes a parser, given which way requests go.
pub type Make = fn(Setup, Direction) -> Box<dyn ConnectionParser + Send>;

const HTTP1: Description = Description {
    name: "HTTP",
    number: 1,
    table: "http_events",
    time: RowTime::Response,
    datagrams: false,
    streams: true,
    whole: false,
};

/// All protocols.
pub static PROTOCOLS: &[Entry] = &[
    Entry { description: &HTTP1, infer: infer_http1, infer_datagram: infer_http1, make: None },
    of::<Amqp>(),
    of::<Cql>(),
    of::<Dns>(),
    of::<Http2>(),
    of::<Kafka>(),
    of::<Mongodb>(),
    of::<Mux>(),
    of::<Mysql>(),
    of::<Nats>(),
    of::<Pgsql>(),
    of::<Redis>(),
    of::<Tls>(),
    of::<Websocket>(),
];

const fn of<P: Protocol + Send + 'static>() -> Entry {
    Entry { description: &P::DESCRIPTION, infer: P::infer, infer_datagram: P::infer_datagram, make: Some(make::<P>) }
}

fn make<P: Protocol + Send + 'static>(setup: Setup, requests: Direction) -> Box<dyn ConnectionParser + Send> {
    Box::new(Connection::<P>::new(setup, requests))
}

fn infer_http1(bytes: &[u8]) -> Inference {
    let found = http1::infer(bytes);
    let side = match found.kind {
        http1::Kind::Request => Side::Client,
        http1::Kind::Response => Side::Server,
    };
    Inference { score: found.score, side: Some(side) }
}
