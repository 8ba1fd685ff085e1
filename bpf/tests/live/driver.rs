//! The process under test: Python, since its socket calls are the kernel's.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// Echoes over loopback: the client writes by `sendall` and `sendmsg`, the server reads by `recv` and `recv_into`.
const DRIVER: &str = r#"
import socket, sys, threading, os
mode, count = sys.argv[1], int(sys.argv[2])
def serve(c):
    try:
        while d := c.recv(65536): c.sendall(d)
    except OSError: pass
    c.close()
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(512)
def accept():
    while True:
        c, _ = l.accept()
        threading.Thread(target=serve, args=(c,), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
old = socket.create_connection(l.getsockname())
old.sendall(b"warm"); old.recv(4)
print("ready", flush=True); print(l.getsockname()[1], flush=True)
def pause(word): print(word, flush=True); sys.stdin.readline()
sys.stdin.readline()
def receive(s, n):
    while n: n -= len(s.recv(n))
if mode == "content":
    old.sendall(b"older"); receive(old, 5)
    s = socket.create_connection(l.getsockname())
    s.sendmsg([b"HEAD", b"", b"-BODY-", b"END"])
    s.recv(13, socket.MSG_PEEK); receive(s, 13)
    os.write(s.fileno(), b"written"); os.read(s.fileno(), 7)
    os.writev(s.fileno(), [b"vec", b"tor"])
    a, b = bytearray(2), bytearray(8)
    n = os.readv(s.fileno(), [a, b]); receive(s, 6 - n)
    with open("/tmp/watershed-bpf-sendfile", "wb") as f: f.write(b"x" * 5000)
    f = open("/tmp/watershed-bpf-sendfile", "rb")
    os.sendfile(s.fileno(), f.fileno(), 0, 5000); receive(s, 5000)
    s.close()
elif mode == "body":
    exec(sys.argv[3])
elif mode == "short":
    for _ in range(count):
        s = socket.create_connection(l.getsockname()); s.sendall(b"ping"); receive(s, 4); s.close()
elif mode == "burst":
    for _ in range(count):
        old.sendall(b"y" * 700); receive(old, 700)
print("done", flush=True); sys.stdin.readline()
"#;

/// A process that talks to itself; killed when dropped.
pub(crate) struct Driver {
    pub(crate) child: Child,
    pub(crate) port: u16,
    output: BufReader<std::process::ChildStdout>,
}

impl Driver {
    pub(crate) fn start(mode: &str, count: u32) -> Driver {
        Driver::run(Command::new("python3").args(["-c", DRIVER, mode, &count.to_string()]))
    }

    /// Runs these lines of Python where the others do their traffic.
    pub(crate) fn body(lines: &str) -> Driver {
        Driver::run(Command::new("python3").args(["-c", DRIVER, "body", "0", lines]))
    }

    /// In a network namespace of its own.
    pub(crate) fn start_apart(mode: &str, count: u32) -> Driver {
        let script = "ip link set lo up && exec python3 -c \"$0\" \"$@\"";
        Driver::run(Command::new("unshare").args(["-n", "sh", "-c", script, DRIVER, mode, &count.to_string()]))
    }

    pub(crate) fn run(command: &mut Command) -> Driver {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut driver = Driver { child, port: 0, output };
        driver.expect("ready");
        driver.port = driver.line().parse().unwrap();
        driver
    }

    pub(crate) fn expect(&mut self, word: &str) {
        assert_eq!(self.line(), word);
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
