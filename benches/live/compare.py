#!/usr/bin/env python3
"""What the agent costs busy servers, and whether it sees every request: compare.py WATERSHED [--rounds N] [--only NAME …]

Everything runs on loopback, against servers and load generators that this script starts, scopes the agent to, and
ends. Figures are ratios of interleaved pairs in one run, since machines are noisy. Needs root, nginx, wrk, h2load; for
other protocols Redis, Go, PostgreSQL and MariaDB.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time

from agent import Agent
from servers import BY_PROTOCOL, Nginx, Redis


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


def protocols(binary, options):
    """Throughput at saturation of other protocols, with ÷ without, and requests that were not seen."""
    for name in options.of:
        ratios, missing, total, cores, lost = [], 0, 0, [], []
        for round_number in range(options.rounds):
            server = BY_PROTOCOL[name]()
            server.load(2)
            results = {}
            for side in ("without", "with") if round_number % 2 == 0 else ("with", "without"):
                agent = Agent(binary, server.process.pid, *options.flags) if side == "with" else None
                begin = agent.cpu_seconds() if agent else 0
                results[side] = server.load(options.seconds)
                if agent:
                    took = results[side]["requests"] / results[side]["rate"]
                    cores.append((agent.cpu_seconds() - begin) / took)
                    time.sleep(1)
                    unseen = max(0, results[side]["requests"] - subscribed_requests(agent))
                    missing += unseen
                    total += results[side]["requests"]
                    lost += losses(agent)
                    agent.stop()
            server.stop()
            ratios.append(results["with"]["rate"] / results["without"]["rate"])
            print(
                f"  {name} {round_number + 1}: {results['without']['rate']:.0f} -> {results['with']['rate']:.0f} requests/s"
                f" ({ratios[-1]:.3f}), agent {cores[-1]:.2f} core, {unseen} not seen",
                flush=True,
            )
        print(
            f"{name}: throughput with / without {statistics.median(ratios):.3f} (median of {len(ratios)}),"
            f" not seen {missing} of {total}; losses reported: {lost or 'none'}",
            flush=True,
        )


def idle(binary, options):
    """RSS and BPF maps with 10,000 open connections at rest, each after one exchange, more than with none."""
    ask = {
        Nginx: b"GET /1k.txt HTTP/1.1\r\nHost: bench\r\n\r\n",
        Redis: b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n",
    }
    for kind, request in ask.items():
        server = kind()
        agent = Agent(binary, server.process.pid, *options.flags)
        held = lambda: agent.resident_bytes() + agent.map_bytes()
        with exchanged(server.port, request):
            time.sleep(10)
            before = held()
        with contextlib.ExitStack() as connections:
            for _ in range(10_000):
                connections.enter_context(exchanged(server.port, request))
            time.sleep(10)
            after = held()
        print(f"{kind.__name__}: {before / 2**20:.1f} -> {after / 2**20:.1f} MiB ({(after - before) / 2**20:.1f} more)", flush=True)
        agent.stop()
        server.stop()


def exchanged(port, request):
    """A connection with one exchange behind it."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(request)
    connection.recv(65536)
    return connection


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


MEASUREMENTS = {
    "saturation": saturation, "protocols": protocols, "fixed": fixed, "memory": memory, "idle": idle, "latency": latency,
    "scripts": scripts,
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("watershed", help="the release binary")
    arguments.add_argument("--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    arguments.add_argument("--of", nargs="*", choices=BY_PROTOCOL, default=list(BY_PROTOCOL), help="protocols: which")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=8)
    arguments.add_argument("--minutes", type=int, default=10)
    arguments.add_argument("--without-detectors", action="store_true", help="memory: the bundled views alone")
    arguments.add_argument("--flags", nargs=argparse.REMAINDER, default=[], help="further flags of `watershed run`")
    options = arguments.parse_args()
    # Thousands of connections are open at once.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if os.getuid() != 0:
        sys.exit("compare.py: loading eBPF programs needs root; run it with sudo")
    for name in options.only:
        print(f"== {name}: {MEASUREMENTS[name].__doc__}", flush=True)
        MEASUREMENTS[name](options.watershed, options)


if __name__ == "__main__":
    main()
