//! Throughput of nginx (1 KiB answers, `wrk -t1 -c64`) with the probe drained every 10 ms, divided by that without.
//! `overhead [CAPTURE_BYTES [ROUNDS [SECONDS [RING_MIB]]]]`; starts its own nginx and prints every round and the median.
#![allow(clippy::print_stdout, clippy::expect_used, missing_docs)]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use watershed_bpf::{Config, Probe, Scope};

const PORT: u16 = 18080;

struct Server {
    child: Child,
    directory: PathBuf,
}

impl Server {
    fn start() -> Server {
        let directory = std::env::temp_dir().join(format!("watershed-overhead-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a writable temporary directory");
        std::fs::write(directory.join("page"), "x".repeat(1024)).expect("written");
        let home = directory.display();
        let text = format!(
            "daemon off; master_process off; user root; pid {home}/pid; error_log {home}/error;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 100000000; sendfile off; open_file_cache max=10;\n\
             server {{ listen 127.0.0.1:{PORT}; root {home}; }} }}\n"
        );
        std::fs::write(directory.join("conf"), text).expect("written");
        let child = Command::new("nginx")
            .args(["-p".as_ref(), directory.as_os_str(), "-c".as_ref(), directory.join("conf").as_os_str()])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        while std::net::TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Server { child, directory }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Requests a second.
fn load(seconds: u32) -> f64 {
    let output = Command::new("wrk")
        .args(["-t1", "-c64", &format!("-d{seconds}"), &format!("http://127.0.0.1:{PORT}/page")])
        .output()
        .expect("wrk is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    line.and_then(|number| number.trim().parse().ok()).expect("wrk prints its rate")
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let mut number = |default| numbers.next().unwrap_or(default);
    let (capture_bytes, rounds, seconds, ring_mib) = (number(1024), number(3), number(4), number(32));
    let server = Server::start();
    let scopes = vec![Scope::Pid { pid: server.child.id(), children: true }];
    let config = Config { scopes, capture_bytes, ring_bytes: ring_mib << 20, ..Config::default() };
    load(1);
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let without = load(seconds);
        let mut probe = Probe::load(&config).expect("the probe loads");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let drain = std::thread::spawn(move || {
            let (mut events, mut bytes) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                let _ = probe.drain_lifecycle(&mut |_| {});
                let drained = probe.drain_data(&mut |data| bytes += u64::from(data.length));
                events += drained.unwrap_or(0);
                std::thread::sleep(Duration::from_millis(10));
            }
            let lost: u64 = probe.losses().iter().map(|loss| loss.count).sum();
            (events, bytes, lost)
        });
        let with = load(seconds);
        stop.store(true, Ordering::Relaxed);
        let (events, bytes, lost) = drain.join().expect("the drain does not panic");
        println!(
            "round {round}: {without:.0} -> {with:.0}/s = {:.3}; {events} events, {bytes} bytes, {lost} lost",
            with / without
        );
        ratios.push(with / without);
    }
    ratios.sort_by(f64::total_cmp);
    println!("capture {capture_bytes}: median {:.3}", ratios[ratios.len() / 2]);
}
