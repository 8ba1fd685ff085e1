//! Events and the tables that must come of them, live or from a recording cut anywhere.
#![allow(clippy::unwrap_used)]

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use watershed_model::{Tick, Upid};

use super::{Config, Tables};
use crate::event::{Attention, Connection, Endpoint, Ends, Event, Role, Stream, Totals, Translation};
use crate::recording::{Block, Reader, Writer};

const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn endpoint(port: u16) -> Endpoint {
    Endpoint { address: std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets(), port }
}

fn conversation() -> Vec<Event<'static>> {
    let client = Connection {
        cookie: 1,
        tgid: 10,
        start_boottime_ns: 50_000_000,
        netns: 1,
        family: 2,
        role: Role::Client,
        local: endpoint(40_000),
        remote: endpoint(80),
        ..Connection::default()
    };
    let server =
        Connection { cookie: 2, tgid: 20, role: Role::Server, local: endpoint(80), remote: endpoint(40_000), ..client };
    let data = |time_ns, cookie, sent, tgid, captured: &'static [u8]| Event::Data {
        time_ns,
        cookie,
        position: 0,
        length: captured.len() as u32,
        sent,
        tgid,
        captured,
    };
    let totals = |sent: &[u8], received: &[u8]| Totals {
        sent_bytes: sent.len() as u64,
        received_bytes: received.len() as u64,
        unseen_bytes: 0,
    };
    vec![
        Event::Clock { monotonic_ns: 0, boottime_ns: 0, realtime_ns: 1_000_000_000_000 },
        Event::Exec { tgid: 10, start_boottime_ns: 50_000_000, comm: "curl" },
        Event::Open(client),
        Event::Open(server),
        data(100, 1, true, 10, REQUEST),
        data(200, 2, false, 20, REQUEST),
        data(300, 2, true, 20, RESPONSE),
        data(400, 1, false, 10, RESPONSE),
        Event::Tick { time: 1_000_100 },
        Event::Close { cookie: 1, totals: totals(REQUEST, RESPONSE), time_ns: 500 },
        Event::Close { cookie: 2, totals: totals(RESPONSE, REQUEST), time_ns: 500 },
        Event::Exit { tgid: 10, status: 9, time_ns: 600 },
        Event::Tick { time: 1_001_000 },
    ]
}

fn ticks(events: &[Event<'_>]) -> Vec<Tick> {
    let mut tables = Tables::new(&Config::default());
    events.iter().filter_map(|event| tables.apply(event)).collect()
}

fn rows(tick: &Tick, table: &str) -> usize {
    tick.events.iter().filter(|(name, _)| *name == table).map(|(_, batch)| batch.num_rows()).sum()
}

#[test]
fn both_ends_are_rows_and_know_each_other() {
    let ticks = ticks(&conversation());
    assert_eq!((rows(&ticks[0], "http_events"), rows(&ticks[1], "conn_stats")), (2, 2));
    assert_eq!(rows(&ticks[1], "proc_exit_events"), 1);
    assert_eq!(rows(&ticks[1], "system.losses"), 0);
    assert_eq!(peers(&ticks[0]), [10, 20]);
}

/// Who is at the other ends of exchanges.
fn peers(tick: &Tick) -> Vec<u32> {
    let (_, http) = tick.events.iter().find(|(name, _)| *name == "http_events").unwrap();
    let peers = http.column_by_name("remote_upid").unwrap();
    let peers = peers.as_any().downcast_ref::<arrow::array::FixedSizeBinaryArray>().unwrap();
    (0..http.num_rows()).map(|row| Upid::from_bytes(peers.value(row).try_into().unwrap()).pid).collect()
}

#[test]
fn containers_outside_of_kubernetes_have_the_names_that_the_machine_gives_them() {
    let id = "0123456789abcdef".repeat(4);
    let uid = "0a1b2c3d-0000-4111-8222-333344445555";
    let paths = [
        format!("/docker/{id}"),
        "/system.slice/nginx.service".to_owned(),
        format!("/system.slice/containerd.service/kubepods/pod{uid}/{}", id.replace('0', "f")),
    ];
    let mut tables = Tables::new(&Config::default());
    tables.apply(&Event::Container { id: &id, name: "web" });
    for (tgid, cgroup) in (1..).zip(&paths) {
        let (comm, cmdline, exe) = ("c", "c", "/c");
        tables.apply(&Event::Process { tgid, start_ticks: 1, parent: 0, comm, cmdline, exe, cgroup });
    }
    // A child is in its parent's container.
    tables.apply(&Event::Fork { parent: 1, tgid: 9, start_boottime_ns: 50_000_000 });
    let tick = tables.apply(&Event::Tick { time: 1_000_100 }).unwrap();
    let processes = tick.states.iter().find(|change| change.table == "processes").unwrap();
    let names = processes.rows.column_by_name("container_name").unwrap().as_string::<i32>();
    assert_eq!(names.iter().flatten().collect::<Vec<_>>(), ["web", "nginx.service", "", "web"]);
}

#[test]
fn ends_whose_addresses_are_changed_on_the_way_know_each_other() {
    let pod =
        |last, port| Endpoint { address: std::net::Ipv4Addr::new(10, 88, 1, last).to_ipv6_mapped().octets(), port };
    let (service, gateway) = (pod(0, 80), pod(1, 1024));
    // To a service from another pod, and from the server's own pod, whose address is then changed too.
    for (client, seen) in [(pod(2, 4000), pod(2, 4000)), (pod(3, 4000), gateway)] {
        let client = Ends { local: client, remote: service };
        let server = Ends { local: pod(3, 8080), remote: seen };
        let translated = Event::Translated(Translation { client, server });
        let mut events = conversation();
        for (event, ends) in events[2..4].iter_mut().zip([client, server]) {
            let Event::Open(connection) = event else { panic!("open") };
            (connection.local, connection.remote) = (ends.local, ends.remote);
        }
        assert_eq!(peers(&ticks(&events)[0]), [0, 0], "nothing says that they belong together");
        // Also of connections that were there before.
        for at in 2..5 {
            let mut events = events.clone();
            events.insert(at, translated.clone());
            assert_eq!(peers(&ticks(&events)[0]), [10, 20]);
        }
    }
}

fn int(tick: &Tick, table: &str, column: &str) -> Vec<i64> {
    let batches = tick.events.iter().filter(|(name, _)| *name == table).map(|(_, batch)| batch);
    let values = batches.map(|batch| batch.column_by_name(column).unwrap());
    values.flat_map(|values| values.as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// What a traced client sends and receives on one connection, from a recording: a line a segment.
fn client_of(recording: &str, connection: Connection) -> Vec<Tick> {
    let mut tables = Tables::new(&Config::default());
    tables.apply(&Event::Clock { monotonic_ns: 0, boottime_ns: 0, realtime_ns: 1_000_000_000_000 });
    tables.apply(&Event::Open(connection));
    let (mut positions, mut time_ns) = ([0_u64; 2], 0);
    for line in recording.lines().filter(|line| line.starts_with("0 ")) {
        let sent = line.as_bytes()[2] == b'C';
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = line.as_bytes()[4..].chunks(2).map(byte).collect();
        time_ns += 1000;
        let position = std::mem::replace(&mut positions[usize::from(sent)], 0);
        positions[usize::from(sent)] = position + bytes.len() as u64;
        let length = bytes.len() as u32;
        let captured = &bytes[..bytes.len().min(1024)];
        tables.apply(&Event::Data { time_ns, cookie: 1, position, length, sent, tgid: 10, captured });
    }
    let totals = Totals { sent_bytes: positions[1], received_bytes: positions[0], unseen_bytes: 0 };
    let mut ticks: Vec<Tick> = tables.apply(&Event::Tick { time: 1_000_100 }).into_iter().collect();
    tables.apply(&Event::Close { cookie: 1, totals, time_ns });
    ticks.extend(tables.apply(&Event::Tick { time: 1_001_100 }));
    ticks
}

fn connection(port: u16, datagrams: bool) -> Connection {
    let (local, remote) = (endpoint(40_000), endpoint(port));
    Connection { cookie: 1, tgid: 10, family: 2, role: Role::Client, local, remote, datagrams, ..Connection::default() }
}

#[test]
fn dns_datagrams_and_streams_are_rows_of_their_table() {
    let ticks = client_of(include_str!("../../protocols/fixtures/dns-udp.txt"), connection(53, true));
    assert_eq!(rows(&ticks[0], "dns_events"), 20);
    assert_eq!(int(&ticks[1], "conn_stats", "protocol"), [6]);
    assert!(int(&ticks[0], "dns_events", "latency").iter().all(|latency| *latency == 1000));
    let ticks = client_of(include_str!("../../protocols/fixtures/dns-tcp.txt"), connection(53, false));
    assert_eq!((rows(&ticks[0], "dns_events"), rows(&ticks[1], "system.losses")), (3, 0));
}

#[test]
fn grpc_calls_are_rows_of_http_events() {
    let ticks = client_of(include_str!("../../protocols/fixtures/grpc.txt"), connection(50_051, false));
    assert_eq!(int(&ticks[0], "http_events", "major_version"), [2; 6]);
    assert_eq!(int(&ticks[0], "http_events", "content_type"), [2; 6]);
    assert_eq!(int(&ticks[1], "conn_stats", "protocol"), [2]);
}

#[test]
fn what_speaks_nothing_known_is_muted_and_what_does_is_not() {
    let mut tables = Tables::new(&Config::default());
    tables.apply(&Event::Open(connection(22, false)));
    for turn in 0..60_u64 {
        let captured = b"\xf3\x9a not a protocol";
        let (length, position) = (captured.len() as u32, turn * captured.len() as u64);
        let time_ns = turn;
        tables.apply(&Event::Data { time_ns, cookie: 1, position, length, sent: true, tgid: 10, captured });
    }
    assert_eq!(tables.take_wishes(), [(Stream::of_socket(1), Attention::None)]);
}

#[test]
fn segments_in_the_wrong_order_are_put_right() {
    let mut events = conversation();
    let halves = |at: usize, event: &Event<'static>| {
        let Event::Data { time_ns, cookie, sent, tgid, captured, .. } = *event else { panic!("data") };
        let (first, second) = captured.split_at(at);
        let half = |position, captured: &'static [u8]| Event::Data {
            time_ns,
            cookie,
            position,
            length: captured.len() as u32,
            sent,
            tgid,
            captured,
        };
        [half(at as u64, second), half(0, first)]
    };
    let response = halves(9, &events[6]);
    events.splice(6..7, response);
    let ticks = ticks(&events);
    assert_eq!(int(&ticks[0], "http_events", "resp_status"), [200, 200]);
    assert_eq!(ticks.iter().map(|tick| rows(tick, "system.losses")).sum::<usize>(), 0);
}

#[test]
fn what_is_missing_is_a_gap_after_a_tick_and_nothing_is_made_up() {
    let mut events = conversation();
    let Event::Data { position, .. } = &mut events[6] else { panic!("data") };
    *position = 10;
    let ticks = ticks(&events);
    assert_eq!(rows(&ticks[0], "http_events"), 1);
    assert!(ticks.iter().map(|tick| rows(tick, "system.losses")).sum::<usize>() > 0);
}

/// What was not copied of requests that came together may be no row, but is never silent.
#[test]
fn requests_of_which_only_the_first_were_copied_are_counted() {
    const PINGS: [&[u8]; 2] = [b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"];
    const GETS: [&[u8]; 2] = [REQUEST, RESPONSE];
    for (port, table, [ask, answer]) in [(6379, "redis_events", PINGS), (80, "http_events", GETS)] {
        let mut tables = Tables::new(&Config::default());
        tables.apply(&Event::Open(connection(port, false)));
        let mut data = |sent, position: usize, times: usize, captured: &'static [u8]| {
            let (position, length) = ((position * captured.len()) as u64, (times * captured.len()) as u32);
            tables.apply(&Event::Data { time_ns: 1, cookie: 1, position, length, sent, tgid: 10, captured });
        };
        data(true, 0, 1, ask);
        data(false, 0, 1, answer);
        data(true, 1, 20, ask);
        data(false, 1, 20, answer);
        let tick = tables.apply(&Event::Tick { time: 1_001_000 }).unwrap();
        assert!(rows(&tick, table) <= 2);
        let bytes: i64 = int(&tick, "system.losses", "bytes").iter().sum();
        assert_eq!(bytes, 19 * (ask.len() + answer.len()) as i64, "{table}");
    }
}

#[test]
fn a_connection_that_is_out_of_step_for_long_is_heard_again() {
    let mut tables = Tables::new(&Config::default());
    tables.apply(&Event::Open(connection(6379, false)));
    let (ask, answer) = (&b"*1\r\n$4\r\nPING\r\n"[..], &b"+PONG\r\n"[..]);
    let mut positions = [0_u64; 2];
    let mut data = |time_ns, sent, length: usize, captured: &'static [u8]| {
        let position = positions[usize::from(sent)];
        positions[usize::from(sent)] += length as u64;
        let length = length as u32;
        tables.apply(&Event::Data { time_ns, cookie: 1, position, length, sent, tgid: 10, captured });
    };
    for time_ns in [1, 5_000_000_000] {
        data(time_ns, true, ask.len(), ask);
        data(time_ns, false, answer.len(), answer);
        data(time_ns, true, 10_000, ask);
        (0..40).for_each(|_| data(time_ns, true, 16, &[0; 16]));
    }
    assert!(tables.take_wishes().iter().all(|(_, attention)| *attention == Attention::Whole));
    assert_eq!(rows(&tables.apply(&Event::Tick { time: 1_001_000 }).unwrap(), "redis_events"), 2);
}

#[test]
fn bytes_before_the_owner_is_known_are_never_taken_back() {
    let mut events = conversation();
    let Event::Open(server) = events[3] else { panic!("open") };
    events[3] = Event::Open(Connection { tgid: 0, ..server });
    let totals = Totals { sent_bytes: 40, received_bytes: 20, unseen_bytes: 0 };
    events.insert(4, Event::Totals { cookie: 2, totals });
    events.insert(5, Event::Tick { time: 1_000_000 });
    events.insert(6, Event::Open(server));
    let ticks = ticks(&events);
    let sent: Vec<i64> = ticks.iter().flat_map(|tick| int(tick, "conn_stats", "sent")).collect();
    assert!(sent.iter().all(|sent| *sent >= 0), "{sent:?}");
    assert_eq!(sent.iter().sum::<i64>(), (REQUEST.len() + RESPONSE.len()) as i64);
}

#[test]
fn a_process_that_exits_is_corrected_not_added() {
    let ticks = ticks(&conversation());
    let diffs: i64 = ticks.iter().flat_map(|tick| &tick.states).flat_map(|change| &change.diffs).sum();
    assert_eq!(diffs, 1);
}

#[test]
fn recording_gives_the_same_tables_and_reads_to_its_last_whole_block_when_cut() {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut file = Vec::new();
    {
        let mut file_writer = Writer::new(&mut file).unwrap();
        for event in conversation() {
            writer.write(&event).unwrap();
            file_writer.write(&event).unwrap();
        }
    }
    let expected: Vec<String> = ticks(&conversation()).iter().map(|tick| format!("{tick:?}")).collect();
    for cut in 0..=file.len() {
        let mut tables = Tables::new(&Config::default());
        let mut found = Vec::new();
        let Ok(mut reader) = Reader::new(&file[..cut]) else {
            assert!(cut < 12);
            continue;
        };
        while reader.read_block(&mut |event| found.extend(tables.apply(event).map(|tick| format!("{tick:?}")))).unwrap()
            == Block::Whole
        {}
        assert!(expected.starts_with(&found), "cut at {cut}");
        assert!(cut < file.len() || found.len() == expected.len());
    }
}

#[test]
fn messages_after_an_upgrade_are_rows_with_the_path_of_its_request() {
    let ticks = client_of(include_str!("../../protocols/fixtures/websocket.txt"), connection(80, false));
    assert_eq!(int(&ticks[0], "http_events", "resp_status"), [101]);
    let batch = &ticks[0].events.iter().find(|(name, _)| *name == "websocket_events").unwrap().1;
    let texts = |name: &str| -> Vec<String> {
        let column = batch.column_by_name(name).unwrap().as_binary::<i32>();
        column.iter().map(|text| String::from_utf8_lossy(text.unwrap()).into_owned()).collect()
    };
    assert_eq!(texts("path"), vec!["/chat?room=1"; 28]);
    assert_eq!(texts("body")[..3], ["welcome", "hello", "hello"]);
    let sent_by = |side: &str| texts("sender").iter().filter(|sender| *sender == side).count();
    assert_eq!((sent_by("client"), sent_by("server")), (14, 14));
    assert_eq!(rows(&ticks[1], "system.losses"), 0);
    assert_eq!(int(&ticks[1], "conn_stats", "protocol"), [1]);
}

/// Ciphertext is the same both ways, and what a server sends may be seen first.
#[test]
fn who_asks_on_an_older_connection_of_tls_is_told_by_its_clear_text() {
    let record = b"\x17\x03\x03\0\x04\xd1\x7e\x90\x3c";
    let mut tables = Tables::new(&Config::default());
    let server = Connection { role: Role::Unknown, opened_before_start: true, ..connection(40_000, false) };
    tables.apply(&Event::Open(server));
    let mut time_ns = 0;
    let mut data = |tables: &mut Tables, sent, position| {
        time_ns += 1;
        let (length, captured) = (record.len() as u32, &record[..]);
        tables.apply(&Event::Data { time_ns, cookie: 1, position, length, sent, tgid: 10, captured });
    };
    data(&mut tables, true, 0);
    data(&mut tables, false, 0);
    let mut plain = |sent, position, captured: &'static [u8]| {
        let length = captured.len() as u32;
        tables.apply(&Event::Plain { time_ns: 9, cookie: 1, position, length, sent, tgid: 10, captured });
    };
    // Go's server waits for a request with a read of one byte.
    plain(false, 0, &REQUEST[..1]);
    plain(false, 1, &REQUEST[1..]);
    plain(true, 0, RESPONSE);
    let totals = Totals { sent_bytes: 9, received_bytes: 9, unseen_bytes: 0 };
    tables.apply(&Event::Close { cookie: 1, totals, time_ns: 10 });
    let tick = tables.apply(&Event::Tick { time: 1_001_000 }).unwrap();
    assert_eq!(int(&tick, "http_events", "trace_role"), [2]);
    assert_eq!(int(&tick, "conn_stats", "trace_role"), [2]);
}

#[test]
fn clocks_and_positions_of_any_value_do_no_harm() {
    for (monotonic_ns, realtime_ns) in [(u64::MAX, i64::MAX), (1 << 63, i64::MIN), (0, 0)] {
        let mut tables = Tables::new(&Config::default());
        tables.apply(&Event::Clock { monotonic_ns, boottime_ns: monotonic_ns, realtime_ns });
        for event in conversation().iter().skip(1) {
            tables.apply(event);
        }
        for position in [0, u64::MAX - 3, 7, u64::MAX] {
            let (time_ns, captured) = (position, REQUEST);
            let length = u32::MAX;
            tables.apply(&Event::Data { time_ns, cookie: 3, position, length, sent: true, tgid: 10, captured });
        }
        tables.apply(&Event::Exit { tgid: 20, status: 1, time_ns: u64::MAX });
        tables.apply(&Event::Tick { time: u64::MAX });
        tables.apply(&Event::Tick { time: 0 });
    }
}
