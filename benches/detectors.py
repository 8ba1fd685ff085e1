#!/usr/bin/env python3
"""Faults injected into live traffic, and what the bundled detectors make of them. Needs root.

    benches/detectors.py BINARY [--quiet MINUTES] [--rounds N] [--services N] [--apply MANIFEST...]

First the services of integration/servers/faulty.py run well: every flag is a false one. Then, round by round, five of
six have one fault of random kind, severity and start for a minute. A fault counts as detected when a flag of the right
detector names the right subject before it ends; the time to clear counts from its end. Flags on services without a
fault are false ones as well; other flags on a broken service are its consequences and are only counted.
"""

import argparse
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import threading
import time

FAULTY = pathlib.Path(__file__).parent.parent / "integration/servers/faulty.py"
WARM_UP_S, FAULT_S, CLEAR_S = 210, 60, 100
# What a kind of fault is expected to raise, on which subject, and how severe it is at random.
KINDS = {
    "errors": (("error-rate", "error-rise"), r"shop{}@\S+ GET /checkout", lambda dice: dice.uniform(0.3, 1.0)),
    "latency": (("latency",), r"shop{}@\S+ GET /search", lambda dice: dice.uniform(5, 20)),
    "loss": (("traffic-drop",), r"shop{}@\S+ GET /feed", lambda dice: dice.uniform(0.9, 1.0)),
    "n_plus_one": (("n-plus-one",), r"shop{}@.*", lambda dice: dice.randrange(40, 100)),
    "dns": (("dns-outage", "dns-failures"), r"shop{}@.*", lambda dice: dice.uniform(0.6, 1.0)),
}


class Anomalies:
    """Flags as a subscription tells them, with the time at which they came."""

    def __init__(self, binary, server):
        command = [binary, "subscribe", "anomalies", "-o", "jsonl", "--server", server]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.changes, self.lock = [], threading.Lock()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.process.stdout:
            change = json.loads(line)
            if "row" in change:
                row = change["row"]
                with self.lock:
                    self.changes.append((time.monotonic(), change["diff"], row["detector"], row["subject"]))

    def between(self, start, end):
        with self.lock:
            return [change for change in self.changes if start <= change[0] < end]


def start_agent(binary, pid):
    scope = f"pid:{pid}+children"
    command = [binary, "run", "--listen", "127.0.0.1:0", "--scope", scope, "--data-budget", "512MiB"]
    agent = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in agent.stderr:
        found = re.search(r"listening on (\S+)", line)
        if found:
            threading.Thread(target=lambda: [None for _ in agent.stderr], daemon=True).start()
            return agent, found[1]
        print(line, end="", file=sys.stderr)
    sys.exit("the agent ended")


def describe(changes):
    """Raised flags by detector, with the first subjects of each."""
    by_detector = {}
    for _, diff, detector, subject in changes:
        if diff > 0:
            by_detector.setdefault(detector, []).append(subject)
    return [f"{len(found):3} of {name}: {', '.join(sorted(set(found))[:5])}" for name, found in sorted(by_detector.items())]


def cpu_pressure():
    """Share of the last minute in which something waited for a CPU: services that starve are slow for a reason."""
    found = re.search(r"some .*?avg60=([\d.]+)", pathlib.Path("/proc/pressure/cpu").read_text())
    return float(found[1])


def quiet(anomalies, minutes):
    total, start = 0, time.monotonic()
    for minute in range(round(minutes)):
        time.sleep(max(start + 60 * (minute + 1) - time.monotonic(), 0))
        raised = [change for change in anomalies.between(start + 60 * minute, start + 60 * (minute + 1)) if change[1] > 0]
        total += len(raised)
        if raised:
            print(f"minute {minute + 1}, CPU pressure {cpu_pressure():.0f} %:", *describe(raised), sep="\n  ", flush=True)
    print(f"quiet: {total} false flags in {minutes:g} minutes", flush=True)


def play(send, service, kind, severity, delay, faults):
    """One fault, from its start to its end."""
    time.sleep(delay)
    started = time.monotonic()
    send(service, kind, severity)
    time.sleep(FAULT_S)
    send(service, kind, 0)
    faults.append({"service": service, "kind": kind, "severity": severity, "started": started, "ended": time.monotonic()})


def judge(fault, changes):
    """Seconds to the flag and from the fault's end to its going; `None` for what did not happen."""
    detectors, subject, _ = KINDS[fault["kind"]]
    wanted = re.compile(subject.format(fault["service"]))
    standing, detected, cleared = set(), None, None
    for at, diff, detector, name in changes:
        if detector not in detectors or not wanted.fullmatch(name) or at < fault["started"]:
            continue
        if diff > 0:
            standing.add(detector)
            if at < fault["ended"] and detected is None:
                detected = at - fault["started"]
        else:
            standing.discard(detector)
        cleared = None if standing or detected is None else max(at - fault["ended"], 0)
    return detected, cleared


def round_of_faults(anomalies, send, plan, dice):
    faults, start = [], time.monotonic()
    threads = [
        threading.Thread(target=play, args=(send, service, kind, KINDS[kind][2](dice), dice.uniform(0, 10), faults))
        for service, kind in plan
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(CLEAR_S)
    changes = anomalies.between(start, time.monotonic())
    for fault in faults:
        fault["detected"], fault["cleared"] = judge(fault, changes)
    kind_of, false, aside = dict(plan), [], []
    for change in changes:
        service = service_of(change[3])
        kind = kind_of.get(service)
        if change[1] > 0 and service is not None and kind is None:
            false.append(change)
        elif change[1] > 0 and (kind is None or change[2] not in KINDS[kind][0]):
            aside.append(change)
    return faults, false, aside


def service_of(subject):
    found = re.search(r"shop(\d+)@|host(\d+)\.internal", subject)
    return int(found[1] or found[2]) if found else None


def summary(faults, kind):
    runs = [fault for fault in faults if fault["kind"] == kind]
    detected = [fault["detected"] for fault in runs if fault["detected"] is not None]
    cleared = [fault["cleared"] for fault in runs if fault["cleared"] is not None]
    middle = lambda values: f"{statistics.median(values):.0f} s" if values else "-"
    most = f"{max(detected):.0f} s" if detected else "-"
    return f"{kind:12} {len(detected):3} of {len(runs):3}   {middle(detected):>6} {most:>6}   {middle(cleared):>6}   {len(detected) - len(cleared)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--quiet", type=float, default=30, metavar="MINUTES")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--services", type=int, default=24)
    parser.add_argument("--rate", type=float, default=1.5, help="requests a second and endpoint")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--apply", nargs="*", default=[], metavar="MANIFEST", help="detectors beside the bundled ones")
    options = parser.parse_args()
    dice = random.Random(options.seed)
    command = [sys.executable, FAULTY, "--services", options.services, "--rate", options.rate, "--seed", options.seed]
    faulty = subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    faulty.stdout.readline()
    agent, server = start_agent(options.binary, faulty.pid)
    lock = threading.Lock()

    def send(service, kind, severity):
        with lock:
            faulty.stdin.write(f"{service} {kind} {severity}\n")

    try:
        for manifest in options.apply:
            subprocess.run([options.binary, "detector", "apply", manifest, "--server", server], check=True)
        anomalies = Anomalies(options.binary, server)
        time.sleep(WARM_UP_S)
        quiet(anomalies, options.quiet)
        faults, false, aside = [], [], []
        for number in range(options.rounds):
            kinds = [*KINDS, None]
            plan = [(service, kinds[(service + number) % len(kinds)]) for service in range(options.services)]
            results = round_of_faults(anomalies, send, [(service, kind) for service, kind in plan if kind], dice)
            for all_of, of_round in zip((faults, false, aside), results):
                all_of.extend(of_round)
            found = sum(fault["detected"] is not None for fault in results[0])
            print(f"round {number + 1}, CPU pressure {cpu_pressure():.0f} %: {found} of {len(results[0])}", flush=True)
        if faults:
            print("kind         detected      median    max    clear   standing")
            print(*(summary(faults, kind) for kind in KINDS), sep="\n")
            times = [fault["detected"] for fault in faults if fault["detected"] is not None]
            print(f"all: {len(times) / len(faults):.1%} detected, median {statistics.median(times or [0]):.1f} s")
            print("missed:", *(f"{fault['kind']} {fault['severity']:.2f} on shop{fault['service']}" for fault in faults if fault["detected"] is None), sep="\n  ")
            print("flags on whole subjects:", *describe(false), sep="\n  ")
            print(f"consequences: {len(aside)}", *describe(aside), sep="\n  ")
        anomalies.process.terminate()
    finally:
        for process in (agent, faulty):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
