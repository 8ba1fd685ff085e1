#!/usr/bin/env python3
"""What the agent costs a busy nginx, and whether it sees every request: compare.py WATERSHED [--rounds N] [--only NAME …]

Everything runs on loopback, against servers and load generators that this script starts, scopes the agent to, and
ends. Figures are ratios of interleaved pairs in one run, since machines are noisy. Needs root, nginx, wrk, h2load.
"""

import argparse
import glob
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

NGINX = """
user root; daemon off; worker_processes {workers}; pid {directory}/nginx.pid; error_log {directory}/error.log warn;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type text/plain;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    open_file_cache max=100; sendfile off;
    server {{
        listen 127.0.0.1:{port} backlog=4096; root {directory}/www;
        location = /status {{ stub_status; }}
    }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Nginx:
    def __init__(self, workers=2):
        self.directory = tempfile.mkdtemp(prefix="watershed-bench-")
        os.mkdir(f"{self.directory}/www")
        with open(f"{self.directory}/www/1k.txt", "w") as file:
            file.write("x" * 1024)
        self.port = free_port()
        configuration = f"{self.directory}/nginx.conf"
        with open(configuration, "w") as file:
            file.write(NGINX.format(workers=workers, directory=self.directory, port=self.port))
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([binary, "-c", configuration, "-e", f"{self.directory}/error.log"])
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{self.port}/1k.txt"

    def stop(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory)


class Agent:
    """`watershed run` scoped to one process and its children."""

    def __init__(self, binary, pid, *flags):
        self.binary = binary
        self.process = subprocess.Popen(
            [binary, "run", "--scope", f"pid:{pid}+children", "--listen", "127.0.0.1:0", *flags],
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.process.stderr:
            found = re.search(r"listening on (\S+)", line)
            if found:
                self.address = found.group(1)
                break
        else:
            sys.exit("compare.py: the agent did not start")
        time.sleep(1)

    def query(self, text):
        answer = subprocess.run(
            [self.binary, "query", "--server", self.address, "-s", text, "-o", "jsonl"],
            check=True,
            capture_output=True,
            text=True,
        )
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def value(self, text):
        (row,) = self.query(text)
        (value,) = row.values()
        return int(value or 0)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def map_bytes(self):
        """Memory of the agent's BPF maps, as the kernel accounts it; a map with several descriptors counts once."""
        maps = {}
        for number in os.listdir(f"/proc/{self.process.pid}/fdinfo"):
            try:
                with open(f"/proc/{self.process.pid}/fdinfo/{number}") as file:
                    text = file.read()
            except FileNotFoundError:
                continue
            found = re.search(r"^memlock:\s+(\d+)", text, re.M)
            number = re.search(r"^map_id:\s+(\d+)", text, re.M)
            if found and number:
                maps[number.group(1)] = int(found.group(1))
        return sum(maps.values())

    def switch_detectors_off(self):
        """Leaves the bundled views alone at work: detectors have a budget of their own."""
        for path in sorted(glob.glob(f"{ROOT}/detectors/*.toml")):
            with open(path) as file, tempfile.NamedTemporaryFile("w", suffix=".toml") as manifest:
                manifest.write("enabled = false\n" + file.read())
                manifest.flush()
                command = [self.binary, "detector", "apply", "--server", self.address, manifest.name]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(url, seconds, connections=64):
    output = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url], check=True, capture_output=True, text=True
    ).stdout
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
        "requests": int(re.search(r"(\d+) requests in", output).group(1)),
        "p99_ms": milliseconds(re.search(r"99%\s+(\S+)", output).group(1)),
    }


def steady(url, rate, seconds, clients=50):
    """A fixed rate of requests, by h2load over HTTP/1.1. Returns the number answered."""
    output = subprocess.run(
        ["h2load", "--h1", "-t1", f"-c{clients}", f"--rps={rate / clients}", f"-D{seconds}", url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return int(re.search(r"(\d+) succeeded", output).group(1))


def seen(agent):
    return agent.value("SELECT coalesce(sum(requests), 0) AS n FROM service_map")


def subscribed_requests(agent):
    """Requests of service_map as the continuous view counts them, once it has come to rest."""
    output = subprocess.run(
        [agent.binary, "subscribe", "--server", agent.address, "service_map", "--for", "2s", "-o", "jsonl"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    total = 0
    for line in map(json.loads, output.splitlines()):
        if "row" in line:
            total += line["diff"] * int(line["row"]["requests"])
    return total


def losses(agent):
    return agent.query("SELECT source, reason, sum(count) AS count, sum(bytes) AS bytes FROM system.losses GROUP BY source, reason")


def saturation(binary, options):
    """Throughput and p99 at saturation, with ÷ without, and requests lost."""
    ratios, p99s, missing, total, lost = [], [], 0, 0, []
    for round_number in range(options.rounds):
        nginx = Nginx()
        wrk(nginx.url, 2)
        order = ["without", "with"] if round_number % 2 == 0 else ["with", "without"]
        results = {}
        for side in order:
            agent = Agent(binary, nginx.process.pid, *options.flags) if side == "with" else None
            results[side] = wrk(nginx.url, options.seconds)
            if agent:
                time.sleep(1)
                counted = subscribed_requests(agent)
                # wrk counts what was answered before its time was up; what was under way then is seen too.
                missing += max(0, results[side]["requests"] - counted)
                total += results[side]["requests"]
                lost += losses(agent)
                agent.stop()
        nginx.stop()
        ratios.append(results["with"]["rate"] / results["without"]["rate"])
        p99s.append(results["with"]["p99_ms"] / results["without"]["p99_ms"])
        print(
            f"  round {round_number + 1}: {results['without']['rate']:.0f} -> {results['with']['rate']:.0f} requests/s"
            f" ({ratios[-1]:.3f}), p99 {results['without']['p99_ms']:.2f} -> {results['with']['p99_ms']:.2f} ms"
        )
    print(f"throughput with / without: {statistics.median(ratios):.3f} (median of {len(ratios)})")
    print(f"p99 with / without: {statistics.median(p99s):.2f}")
    print(f"requests lost: {missing} of {total}; losses reported: {lost or 'none'}")


def fixed(binary, options):
    """Agent CPU at 5,000 requests a second and idle, with the bundled views, and with the bundled detectors too."""
    nginx = Nginx()
    agent = Agent(binary, nginx.process.pid, *options.flags)
    for what in ("views and detectors", "views"):
        if what == "views":
            agent.switch_detectors_off()
        time.sleep(2)
        begin = agent.cpu_seconds()
        time.sleep(20)
        print(f"agent CPU idle, {what}: {(agent.cpu_seconds() - begin) / 20:.4f} core")
        steady(nginx.url, 5000, 3)
        begin, started = agent.cpu_seconds(), time.monotonic()
        answered = steady(nginx.url, 5000, 20)
        cpu = (agent.cpu_seconds() - begin) / (time.monotonic() - started)
        print(f"agent CPU at {answered / 20:.0f} requests/s, {what}: {cpu:.4f} core", flush=True)
    agent.stop()
    nginx.stop()


def memory(binary, options):
    """RSS and BPF maps at 10,000 requests a second over some minutes."""
    nginx = Nginx()
    agent = Agent(binary, nginx.process.pid, *options.flags)
    if options.without_detectors:
        agent.switch_detectors_off()
    for minute in range(options.minutes):
        answered = steady(nginx.url, 10_000, 60)
        resident, maps = agent.resident_bytes(), agent.map_bytes()
        print(
            f"  minute {minute + 1}: RSS {resident / 2**20:.0f} MiB + maps {maps / 2**20:.0f} MiB"
            f" = {(resident + maps) / 2**20:.0f} MiB at {answered / 60:.0f} requests/s",
            flush=True,
        )
    agent.stop()
    nginx.stop()


def latency(binary, options):
    """From the response on the wire to the delta that a subscriber reads."""
    nginx = Nginx(workers=1)
    agent = Agent(binary, nginx.process.pid, *options.flags)
    subscriber = subprocess.Popen(
        [
            binary, "subscribe", "--server", agent.address, "-o", "jsonl", "-s",
            "SELECT req_path, count(*) AS n FROM http_events WHERE time_ > now() - INTERVAL '5 minutes' GROUP BY req_path",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    while "progress" not in json.loads(subscriber.stdout.readline()):
        pass
    delays = []
    for number in range(200):
        with socket.create_connection(("127.0.0.1", nginx.port)) as connection:
            connection.sendall(f"GET /probe-{number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            connection.recv(65536)
            answered = time.monotonic()
        while True:
            line = json.loads(subscriber.stdout.readline())
            if line.get("row", {}).get("req_path") == f"/probe-{number}":
                delays.append((time.monotonic() - answered) * 1000)
                break
        time.sleep(0.013 * (number % 7))
    subscriber.send_signal(signal.SIGINT)
    subscriber.wait()
    delays.sort()
    print(f"response on the wire -> delta: p50 {delays[len(delays) // 2]:.0f} ms, p99 {delays[int(len(delays) * 0.99)]:.0f} ms")
    agent.stop()
    nginx.stop()


def scripts(binary, options):
    """Agent CPU at 5,000 requests a second with 50 bundled PxL scripts subscribed to, and with each twice."""
    nginx = Nginx()
    agent = Agent(binary, nginx.process.pid, *options.flags)
    listed = subprocess.run(
        [binary, "script", "list", "--server", agent.address, "-o", "jsonl"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = [row["name"] for row in map(json.loads, listed.splitlines()) if row["name"].startswith("px/")][:50]
    steady(nginx.url, 5000, 3)
    for times in (0, 1, 2):
        subscribers = [
            subprocess.Popen(
                [binary, "subscribe", "--server", agent.address, name, "-o", "arrow"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for name in names * times
        ]
        steady(nginx.url, 5000, 10)
        failed = [one.stderr.read().strip() for one in subscribers if one.poll() is not None]
        begin, started = agent.cpu_seconds(), time.monotonic()
        steady(nginx.url, 5000, 20)
        cpu = (agent.cpu_seconds() - begin) / (time.monotonic() - started)
        print(
            f"  {len(subscribers) - len(failed)} subscriptions of {len(names) if times else 0} scripts: {cpu:.4f} core,"
            f" RSS {agent.resident_bytes() / 2**20:.0f} MiB",
            flush=True,
        )
        for line in failed:
            print(f"    ended: {line}")
        for one in subscribers:
            one.kill()
            one.wait()
    agent.stop()
    nginx.stop()


MEASUREMENTS = {"saturation": saturation, "fixed": fixed, "memory": memory, "latency": latency, "scripts": scripts}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("watershed", help="the release binary")
    arguments.add_argument("--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=8)
    arguments.add_argument("--minutes", type=int, default=10)
    arguments.add_argument("--without-detectors", action="store_true", help="memory: the bundled views alone")
    arguments.add_argument("--flags", nargs=argparse.REMAINDER, default=[], help="further flags of `watershed run`")
    options = arguments.parse_args()
    if os.getuid() != 0:
        sys.exit("compare.py: loading eBPF programs needs root; run it with sudo")
    for name in options.only:
        print(f"== {name}: {MEASUREMENTS[name].__doc__}", flush=True)
        MEASUREMENTS[name](options.watershed, options)


if __name__ == "__main__":
    main()
