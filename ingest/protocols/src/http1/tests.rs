//! Conversations and the exchanges that must come of them.
#![allow(clippy::unwrap_used)]

use crate::content::Decoder;
use crate::http1::{Exchange, Limits, Parser, Pool};
use crate::segment::{Direction, Segment};

/// Runs a conversation and compares what came out, one line an exchange. A step's text begins with `>` (sent) or `<`
/// (received); `>-N` means that N bytes were lost, `>~N` that the last N bytes of the event before were elided.
#[track_caller]
fn check(steps: &[&str], expected: &[&str]) {
    assert_eq!(run(steps), expected, "{steps:#?}");
}

fn run(steps: &[&str]) -> Vec<String> {
    let (mut parser, mut pool, mut lines) = (Parser::new(Limits { body_bytes: 64 }), Pool::default(), Vec::new());
    let mut positions = [0_u64; 2];
    let mut time_ns = 0;
    if steps[0][1..].starts_with('-') {
        parser.starts_late();
    }
    for (index, step) in steps.iter().enumerate() {
        let direction = if step.starts_with('>') { Direction::Sent } else { Direction::Received };
        let position = &mut positions[direction as usize];
        let text = &step[1..];
        if let Some(lost) = text.strip_prefix('-').and_then(|count| count.parse::<u64>().ok()) {
            *position += lost;
            continue;
        }
        if text.starts_with('~') {
            continue;
        }
        let elided = steps
            .get(index + 1)
            .and_then(|next| next[1..].strip_prefix('~'))
            .map_or(0, |count| count.parse::<u32>().unwrap());
        time_ns += 10;
        let length = text.len() as u32 + elided;
        let segment = Segment { position: *position, length, captured: text.as_bytes(), direction, time_ns };
        *position += u64::from(length);
        parser.segment(&segment, &mut pool, &mut |exchange| lines.push(describe(exchange)));
    }
    parser.finish(&mut pool, &mut |exchange| lines.push(describe(exchange)));
    lines
}

fn describe(exchange: &Exchange) -> String {
    let (mut one, mut two) = (Decoder::default(), Decoder::default());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{} {} {}/{} -> {} {}/{} {}ns{}",
        text(exchange.request.method()),
        text(exchange.request.target()),
        exchange.request.body_bytes,
        text(exchange.request.body(&mut one, 64)),
        exchange.response.status,
        exchange.response.body_bytes,
        text(exchange.response.body(&mut two, 64)),
        exchange.latency_ns(),
        if exchange.partial() { " partial" } else { "" },
    )
}

const GET: &str = ">GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "<HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn keep_alive_and_either_side() {
    check(&[GET, OK, GET, OK], &["GET /a 0/ -> 200 2/hi 10ns"; 2]);
    let turned = [GET.replacen('>', "<", 1), OK.replacen('<', ">", 1)];
    check(&[&turned[0], &turned[1]], &["GET /a 0/ -> 200 2/hi 10ns"]);
    check(&[">PATCH /p HTTP/1.0\nContent-Length: 3\n\nabc", OK], &["PATCH /p 3/abc -> 200 2/hi 10ns"]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    check(
        &[
            ">GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
            "<HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx",
        ],
        &["GET /1 0/ -> 200 0/ 10ns", "GET /2 0/ -> 404 1/x 10ns"],
    );
}

#[test]
fn bodies_end_where_they_should() {
    let chunked =
        "<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n";
    check(&[GET, chunked, GET, OK], &["GET /a 0/ -> 200 5/abcde 10ns", "GET /a 0/ -> 200 2/hi 10ns"]);
    let head = ">HEAD /a HTTP/1.1\r\n\r\n";
    check(
        &[head, "<HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", GET, OK],
        &["HEAD /a 0/ -> 200 0/ 10ns", "GET /a 0/ -> 200 2/hi 10ns"],
    );
    check(
        &[GET, "<HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", GET, OK],
        &["GET /a 0/ -> 304 0/ 10ns", "GET /a 0/ -> 200 2/hi 10ns"],
    );
    check(&[GET, "<HTTP/1.0 200 OK\r\n\r\nabc", "<def"], &["GET /a 0/ -> 200 6/abcdef 20ns"]);
    check(
        &[GET, "<HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK],
        &["GET /a 0/ -> 200 2/hi 20ns"],
    );
}

#[test]
fn upgrade_and_connect_become_opaque() {
    check(
        &[
            GET,
            "<HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01\x02",
            ">GET /not HTTP/1.1\r\n\r\n",
            OK,
        ],
        &["GET /a 0/ -> 101 0/ 10ns"],
    );
    check(
        &[">CONNECT a:443 HTTP/1.1\r\n\r\n", "<HTTP/1.1 200 OK\r\n\r\n", GET, OK],
        &["CONNECT a:443 0/ -> 200 0/ 10ns"],
    );
}

#[test]
fn every_split_gives_the_same_exchanges() {
    let (request, response) =
        (&GET[1..], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n");
    for size in 1..20 {
        let split = |text: &str, mark: char| -> Vec<String> {
            text.as_bytes().chunks(size).map(|part| format!("{mark}{}", String::from_utf8_lossy(part))).collect()
        };
        let steps: Vec<String> = [split(request, '>'), split(response, '<')].concat();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let found = run(&steps);
        assert_eq!(found.len(), 1, "split by {size}");
        assert!(found[0].starts_with("GET /a 0/ -> 200 5/abcde ") && !found[0].contains("partial"), "{found:?}");
    }
}

#[test]
fn elided_bodies_are_passed_over() {
    check(
        &[GET, "<HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nab", "<~4998", GET, OK],
        &["GET /a 0/ -> 200 5000/ab 10ns", "GET /a 0/ -> 200 2/hi 10ns"],
    );
    check(
        &[GET, "<HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nab", "<~256", "<0\r\n\r\n"],
        &["GET /a 0/ -> 200 256/ab 20ns"],
    );
    check(
        &[">GET /long HTTP/1.1\r\nCookie: abc", ">~700", OK, GET, OK],
        &["GET /long 0/ -> 200 2/hi 10ns partial", "GET /a 0/ -> 200 2/hi 10ns"],
    );
}

#[test]
fn a_start_in_the_middle_finds_the_next_message() {
    check(&[">-100", "<-100", "<body of something\r\n", GET, OK], &["GET /a 0/ -> 200 2/hi 10ns"]);
    check(&["<-100", OK, ">-9", GET, OK], &["GET /a 0/ -> 200 2/hi 10ns"]);
    check(&["<-7", "<HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", ">-7", GET, OK], &["GET /a 0/ -> 200 2/hi 10ns"]);
}

#[test]
fn gaps_never_pair_what_does_not_belong_together() {
    // The response to the first request is lost.
    let two = ">GET /b HTTP/1.1\r\n\r\n";
    check(&[GET, "<-40", two, OK, GET, OK], &["GET /a 0/ -> 200 2/hi 10ns"]);
    // The request is lost, its response is not an exchange.
    check(&[GET, OK, ">-40", OK, two, OK], &["GET /a 0/ -> 200 2/hi 10ns", "GET /b 0/ -> 200 2/hi 10ns"]);
    // A gap within a body of known length.
    check(
        &[GET, "<HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", "<-4", "<ghij", two, OK],
        &["GET /a 0/ -> 200 10/ab 20ns partial", "GET /b 0/ -> 200 2/hi 10ns"],
    );
    // Pipelined: after a gap nothing is certain any more.
    check(&[">GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n", "<-40", OK, OK, GET, OK], &[]);
}

#[test]
fn garbage_is_passed_over() {
    check(&[">\x01\x02\x03\x04", "<\x05\x06", GET, OK], &["GET /a 0/ -> 200 2/hi 10ns"]);
    check(&[">*1\r\n$4\r\nPING\r\n", "<+PONG\r\n"], &[]);
}
