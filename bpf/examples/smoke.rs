//! Traces a child that talks to itself over loopback, in every way that a program can, and checks each byte.
//! `smoke` uses the best hooks of this kernel, `smoke hooks` the syscall hooks. Prints OK or what is wrong.
#![allow(clippy::print_stdout, clippy::expect_used, missing_docs)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, ExitCode, Stdio};

use watershed_bpf::{Config, Direction, Lifecycle, Probe, Scope, Transport};

const SHORT: u32 = 100;

fn main() -> ExitCode {
    let mode = std::env::args().nth(1);
    if mode.as_deref() == Some("child") {
        talk();
        return ExitCode::SUCCESS;
    }
    match trace(mode.as_deref() == Some("hooks")) {
        Ok(report) => {
            println!("OK {report}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("FAILED {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The child: one connection for content, many short ones, one UDP pair.
fn talk() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let mut wait = String::new();
    println!("ready");
    std::io::stdin().read_line(&mut wait).expect("a pipe");
    let mut client = TcpStream::connect(address).expect("loopback");
    let (mut server, _) = listener.accept().expect("loopback");
    let mut buffer = [0u8; 64];

    client.write_all(b"sendto").expect("send");
    server.read_exact(&mut buffer[..6]).expect("receive");
    let vectors = [IoSlice::new(b"wri"), IoSlice::new(b""), IoSlice::new(b"tev")];
    let _ = client.write_vectored(&vectors).expect("send");
    let (left, right) = buffer.split_at_mut(2);
    let _ = server.read_vectored(&mut [IoSliceMut::new(left), IoSliceMut::new(&mut right[..4])]).expect("receive");
    // SAFETY: both buffers outlive the calls.
    unsafe {
        libc::write(client.as_raw_fd(), b"write".as_ptr().cast(), 5);
        libc::read(server.as_raw_fd(), buffer.as_mut_ptr().cast(), 5);
    }
    message(client.as_raw_fd(), &mut [b"send".to_vec(), b"msg".to_vec()], true);
    message(server.as_raw_fd(), &mut [vec![0; 3], vec![0; 4]], false);
    for _ in 0..SHORT {
        let mut one = TcpStream::connect(address).expect("loopback");
        let (mut other, _) = listener.accept().expect("loopback");
        one.write_all(b"ping").expect("send");
        other.read_exact(&mut buffer[..4]).expect("receive");
        other.write_all(b"pong").expect("send");
        one.read_exact(&mut buffer[..4]).expect("receive");
    }
    let here = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let there = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    here.send_to(b"datagram", there.local_addr().expect("bound")).expect("send");
    let _ = there.recv_from(&mut buffer).expect("receive");
    drop((client, server));
    println!("done");
    std::io::stdin().read_line(&mut wait).expect("a pipe");
}

/// sendmsg or recvmsg of all parts.
fn message(descriptor: i32, parts: &mut [Vec<u8>], send: bool) {
    let mut vectors: Vec<_> =
        parts.iter_mut().map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() }).collect();
    // SAFETY: an all-zero header is valid, and the vectors outlive the call.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = vectors.as_mut_ptr();
        header.msg_iovlen = vectors.len();
        if send {
            libc::sendmsg(descriptor, &raw const header, 0)
        } else {
            libc::recvmsg(descriptor, &raw mut header, 0)
        };
    }
}

fn trace(force_syscall_hooks: bool) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .arg("child")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let _ = lines.next();
    let scopes = vec![Scope::Pid { pid: child.id(), children: true }];
    let loaded = Probe::load(&Config { scopes, force_syscall_hooks, ..Config::default() });
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"go\n").map_err(|error| error.to_string())?;
    let _ = lines.next();
    let checked = loaded.map_err(|error| error.to_string()).and_then(|mut probe| check(&mut probe));
    drop(input);
    let _ = child.wait();
    checked
}

fn check(probe: &mut Probe) -> Result<String, String> {
    let mut lines = Vec::new();
    for hook in probe.status() {
        lines.push(format!("{}={}", hook.name, if hook.attached { "yes" } else { &hook.error }));
    }
    let (mut opens, mut closes, mut closed_bytes) = (0, 0, 0);
    let drained = probe.drain_lifecycle(&mut |event| match event {
        Lifecycle::Open(connection) if connection.transport == Transport::Tcp => opens += 1,
        Lifecycle::Close(_, totals, _) => {
            closes += 1;
            closed_bytes += totals.sent_bytes + totals.received_bytes;
        }
        _ => {}
    });
    drained.map_err(|error| error.to_string())?;
    let mut content: HashMap<Direction, Vec<Vec<u8>>> = HashMap::new();
    let drained = probe.drain_data(&mut |data| content.entry(data.direction).or_default().push(data.captured.to_vec()));
    drained.map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    for (direction, seen) in &content {
        for word in ["sendto", "writev", "write", "sendmsg", "datagram"] {
            let count = seen.iter().filter(|bytes| bytes.as_slice() == word.as_bytes()).count();
            if count != 1 {
                wrong.push(format!("{word} {direction:?} seen {count} times"));
            }
        }
    }
    let connections = 2 * (SHORT + 1);
    let bytes = u64::from(SHORT) * 16 + 2 * (6 + 6 + 5 + 7);
    if (opens, closes, closed_bytes) != (connections, connections, bytes) {
        wrong.push(format!("{opens} opens, {closes} closes, {closed_bytes} bytes; not {connections} and {bytes}"));
    }
    if content.len() != 2 {
        wrong.push("a direction is missing".into());
    }
    wrong.extend(probe.losses().iter().filter(|loss| loss.count > 0).map(|loss| format!("{loss:?}")));
    lines.push(format!("{opens} connections, {closed_bytes} bytes"));
    if wrong.is_empty() { Ok(lines.join(", ")) } else { Err(format!("{}; {}", wrong.join(", "), lines.join(", "))) }
}
