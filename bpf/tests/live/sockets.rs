//! Sockets of every kind: what is counted, what is seen, how they end.

use std::collections::HashMap;

use watershed_bpf::{Config, Connection, Direction, Lifecycle, Probe, Totals, Transport};

use crate::driver::Driver;
use crate::{config, load};

/// Every connection that was closed or still lives, with its totals.
fn totals(probe: &mut Probe) -> Vec<(Connection, Totals)> {
    let mut found = Vec::new();
    let closes = &mut |event: Lifecycle<'_>| {
        if let Lifecycle::Close(connection, totals, _) = event {
            found.push((connection, totals));
        }
    };
    probe.drain_lifecycle(closes).unwrap();
    probe.for_each_connection(&mut |connection, totals| found.push((*connection, *totals))).unwrap();
    found
}

/// The most that is seen of a transfer, behind a greeting that is seen whole, in a connection of which nothing is known
/// under load.
fn most_seen_behind(greeting: &str) -> Option<usize> {
    let mut driver = Driver::body(&format!(
        "s = socket.create_connection(l.getsockname()); s.sendall(b'{greeting}' + b'g' * 3000); receive(s, 3004)\n\
         s.sendall(b'y' * 2000); receive(s, 2000)\n\
         s.sendall(b'z' * 9000); receive(s, 9000); s.shutdown(socket.SHUT_WR); s.recv(1); s.close()",
    ));
    let mut probe = load(&config(&driver, false))?;
    probe.set_capture_bytes(320);
    driver.go();
    driver.expect("done");
    let mut seen = HashMap::<_, usize>::new();
    probe
        .drain_data(&mut |data| {
            *seen.entry((data.cookie, data.direction, data.position >= 5004)).or_default() += data.captured.len();
        })
        .unwrap();
    seen.iter().filter(|((_, _, behind), _)| *behind).map(|(_, bytes)| *bytes).max()
}

#[test]
fn root_what_nobody_knows_yet_is_seen_whole_under_load_too() {
    let Some(most) = most_seen_behind("????") else { return };
    assert_eq!(most, 9000);
}

#[test]
fn root_of_http_heads_are_seen_under_load() {
    let Some(most) = most_seen_behind("GET ") else { return };
    assert!(most < 9000, "{most}");
}

/// Every byte of a transfer that lies in more vectors than pages of it, in order; `vectors` of 7 bytes each.
fn vectors_are_seen(vectors: usize) {
    let mut driver = Driver::body(&format!(
        "s = socket.create_connection(l.getsockname())\n\
         s.sendmsg([b'%07d' % at for at in range({vectors})]); receive(s, {vectors} * 7)\n\
         s.shutdown(socket.SHUT_WR); s.recv(1); s.close()",
    ));
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    driver.go();
    driver.expect("done");
    let mut seen = HashMap::<_, Vec<u8>>::new();
    probe.drain_data(&mut |data| seen.entry((data.cookie, data.direction)).or_default().extend(data.captured)).unwrap();
    let said: String = (0..vectors).map(|at| format!("{at:07}")).collect();
    assert!(!seen.is_empty());
    assert!(seen.values().all(|seen| seen == said.as_bytes()));
    assert!(probe.losses().iter().all(|loss| loss.count == 0), "{:?}", probe.losses());
}

#[test]
fn root_a_thousand_vectors_are_seen_in_full() {
    [100, 600, 1024].into_iter().for_each(vectors_are_seen);
}

#[test]
fn root_an_abortive_close_leaves_nothing_unseen() {
    let mut driver = Driver::body(
        "import struct\n\
         m = socket.socket(); m.bind(('127.0.0.1', 0)); m.listen(); s = socket.create_connection(m.getsockname())\n\
         c, _ = m.accept(); s.sendall(b'z' * 3000); receive(c, 3000); s.close(); c.recv(1)\n\
         c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); c.close()",
    );
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    driver.go();
    driver.expect("done");
    let all = totals(&mut probe);
    let received: Vec<_> = all.iter().map(|(_, totals)| totals).filter(|totals| totals.received_bytes > 0).collect();
    assert!(received.iter().any(|totals| (totals.received_bytes, totals.closed) == (3000, true)), "{received:?}");
    assert!(received.iter().all(|totals| totals.unseen_received == 0), "{received:?}");
}

fn splice_is_counted(force: bool) {
    let mut driver = Driver::body(
        "s = socket.create_connection(l.getsockname()); s.sendall(b'z' * 3000); receive(s, 1000)\n\
         r, w = os.pipe(); left = 1500\n\
         while left: left -= os.splice(s.fileno(), w, left)\n\
         receive(s, 500); s.shutdown(socket.SHUT_WR); s.recv(1); s.close()",
    );
    let Some(mut probe) = load(&config(&driver, force)) else { return };
    driver.go();
    driver.expect("done");
    let mut next = HashMap::new();
    probe
        .drain_data(&mut |data| {
            assert_eq!(data.position, *next.entry((data.cookie, data.direction)).or_insert(0));
            next.insert((data.cookie, data.direction), data.position + u64::from(data.length));
        })
        .unwrap();
    let all = totals(&mut probe);
    let client = all.iter().find(|(connection, _)| connection.remote.port == driver.port).unwrap().1;
    let seen = (client.sent_bytes, client.received_bytes, client.unseen_received, client.closed);
    assert_eq!(seen, (3000, 3000, 1500, true));
    let server = all.iter().find(|(connection, _)| connection.local.port == driver.port).unwrap().1;
    assert_eq!((server.sent_bytes, server.received_bytes, server.unseen_received), (3000, 3000, 0));
    let delivered: u64 = next.values().sum();
    assert_eq!(delivered, 4 * 3000);
}

#[test]
fn root_splice_out_of_a_socket_is_counted() {
    splice_is_counted(false);
}

#[test]
fn root_splice_out_of_a_socket_by_syscall_hooks() {
    splice_is_counted(true);
}

const BATCH: &str = "
import ctypes
class vec(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]
class hdr(ctypes.Structure): _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint), ('iov', ctypes.POINTER(vec)),
    ('iovlen', ctypes.c_size_t), ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t), ('flags', ctypes.c_int)]
class mmsg(ctypes.Structure): _fields_ = [('hdr', hdr), ('len', ctypes.c_uint)]
libc = ctypes.CDLL(None, use_errno=True)
def batch(n, word=b'-----'):
    out = (mmsg * n)(); keep = []
    for i in range(n):
        b = ctypes.create_string_buffer(word + b'-%02d' % i, 9); v = vec(ctypes.cast(b, ctypes.c_void_p), 8); keep += [b, v]
        out[i].hdr.iov = ctypes.pointer(v); out[i].hdr.iovlen = 1
    return out, keep
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0))
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.connect(a.getsockname())
into, k = batch(50)
for word, n in ((b'batch', 40), (b'again', 20), (b'other', 1), (b'third', 7)):
    m, l = batch(n, word); assert libc.sendmmsg(b.fileno(), m, n, 0) == n
    assert libc.recvmmsg(a.fileno(), into, 50, socket.MSG_DONTWAIT, None) == n
";

fn batches_are_counted(force: bool) {
    let mut driver = Driver::body(BATCH);
    let Some(mut probe) = load(&config(&driver, force)) else { return };
    driver.go();
    driver.expect("done");
    let mut seen = HashMap::<_, Vec<String>>::new();
    let each = &mut |data: watershed_bpf::Data<'_>| {
        let text = String::from_utf8_lossy(data.captured).into_owned();
        seen.entry(data.direction == Direction::Sent).or_default().push(text);
    };
    probe.drain_data(each).unwrap();
    let all: Vec<_> = totals(&mut probe).into_iter().filter(|(c, _)| c.transport == Transport::Udp).collect();
    let sum = all.iter().fold((0, 0, 0, 0), |sum, (_, totals)| {
        let Totals { sent_bytes, received_bytes, sends, receives, .. } = totals;
        (sum.0 + sent_bytes, sum.1 + received_bytes, sum.2 + sends, sum.3 + receives)
    });
    assert_eq!(sum, (68 * 8, 68 * 8, 68, 68));
    let rounds = [("batch", 40), ("again", 20), ("other", 1), ("third", 7)];
    let said: Vec<_> =
        rounds.into_iter().flat_map(|(word, count)| (0..count).map(move |at| format!("{word}-{at:02}"))).collect();
    for sent in [true, false] {
        let of_batches = |text: &&String| said.contains(text);
        let seen: Vec<_> = seen[&sent].iter().filter(of_batches).cloned().collect();
        assert_eq!(seen, said, "sent: {sent}");
    }
}

#[test]
fn root_batches_of_messages_are_counted() {
    batches_are_counted(false);
}

#[test]
fn root_batches_of_messages_by_syscall_hooks() {
    batches_are_counted(true);
}

#[test]
fn root_datagrams_and_ipv6() {
    let mut driver = Driver::body(
        "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', 0))\n\
         c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.connect(u.getsockname())\n\
         c.send(b'connected'); d, peer = u.recvfrom(99); u.sendto(b'unconnected', peer); c.recv(99)\n\
         t = socket.socket(socket.AF_INET6); t.bind(('::1', 0)); t.listen(1)\n\
         x = socket.create_connection(t.getsockname()[:2]); y, _ = t.accept(); x.sendall(b'six'); y.recv(99); x.close(); y.close()",
    );
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    driver.go();
    driver.expect("done");
    let mut seen = Vec::new();
    let each = &mut |data: watershed_bpf::Data<'_>| {
        seen.push((String::from_utf8_lossy(data.captured).into_owned(), data.direction));
    };
    probe.drain_data(each).unwrap();
    for word in ["connected", "unconnected", "six"] {
        for direction in [Direction::Sent, Direction::Received] {
            assert!(seen.contains(&(word.into(), direction)), "{word} {direction:?} {seen:?}");
        }
    }
    let all = totals(&mut probe);
    let loopback = std::net::Ipv6Addr::LOCALHOST.octets();
    let six: Vec<_> = all.iter().filter(|(c, _)| c.family == 10 && c.local.address == loopback).collect();
    assert_eq!(six.len(), 2);
    assert!(six.iter().all(|(c, totals)| c.remote.address == loopback && totals.closed));
    let udp = || all.iter().filter(|(c, _)| c.transport == Transport::Udp);
    assert_eq!(udp().count(), 2);
    let unconnected = udp().filter(|(c, _)| c.remote.port == 0).count();
    assert_eq!(unconnected, 1);
}

#[test]
fn root_a_muted_connection_is_counted_only() {
    let mut driver =
        Driver::body("old.sendall(b'loud'); receive(old, 4); pause('half'); old.sendall(b'quiet'); receive(old, 5)");
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    driver.go();
    driver.expect("half");
    let mut cookies = Vec::new();
    probe.drain_data(&mut |data| cookies.push(data.cookie)).unwrap();
    assert_eq!(cookies.len(), 4);
    for cookie in &cookies {
        probe.mute(*cookie);
    }
    driver.go();
    driver.expect("done");
    assert_eq!(probe.drain_data(&mut |_| {}).unwrap(), 0);
    for (_, totals) in totals(&mut probe) {
        assert_eq!((totals.sent_bytes, totals.received_bytes, totals.muted_sent, totals.muted_received), (9, 9, 5, 5));
    }
}

#[test]
fn root_killed_processes_close_their_connections() {
    let mut driver = Driver::body(
        "import signal\n\
         for i in range(20):\n\
         \u{20} r, w = os.pipe(); child = os.fork()\n\
         \u{20} if child == 0:\n\
         \u{20}   s = socket.create_connection(l.getsockname()); s.sendall(b'k' * 500); s.recv(100, socket.MSG_WAITALL)\n\
         \u{20}   os.write(w, b'x'); signal.pause()\n\
         \u{20} os.read(r, 1); os.kill(child, 9); os.waitpid(child, 0)",
    );
    let Some(mut probe) = load(&config(&driver, false)) else { return };
    driver.go();
    driver.expect("done");
    drop(driver);
    let all = totals(&mut probe);
    let clients: Vec<_> = all.iter().filter(|(c, _)| c.role == watershed_bpf::Role::Client).collect();
    assert_eq!(clients.len(), 20);
    for (_, totals) in clients {
        assert_eq!((totals.sent_bytes, totals.received_bytes, totals.closed), (500, 100, true));
    }
}

#[test]
fn root_idle_datagram_sockets_end_and_open_again() {
    let mut driver = Driver::body(
        "d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(('127.0.0.1', 0))\n\
         c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.connect(d.getsockname())\n\
         c.send(b'one'); pause('half'); c.send(b'two')",
    );
    let idle = Config { datagram_idle: std::time::Duration::ZERO, ..config(&driver, false) };
    let Some(mut probe) = load(&idle) else { return };
    driver.go();
    driver.expect("half");
    let mut ended = Vec::new();
    probe
        .for_each_connection(&mut |connection, totals| ended.extend(totals.closed.then_some(connection.cookie)))
        .unwrap();
    assert_eq!(ended.len(), 1);
    probe.forget(ended[0]);
    driver.go();
    driver.expect("done");
    let mut opens = 0;
    probe
        .drain_lifecycle(&mut |event| opens += u32::from(matches!(event, Lifecycle::Open(c) if c.cookie == ended[0])))
        .unwrap();
    assert_eq!(opens, 2);
}
