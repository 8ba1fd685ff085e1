#!/usr/bin/env python3
"""One-shot questions over ten million exchanges, ours against DuckDB on the same rows: one_shot.py [--rows N]

Both use one thread and hold the rows in memory. DuckDB has the service as a column; ours finds it by the process.
Needs cargo and the Python package duckdb.
"""

import argparse
import os
import re
import statistics
import subprocess
import time

import duckdb

QUESTIONS = {
    "count, avg, max": "count(*), avg(latency), max(latency)",
    "count, p50, p99": "count(*), quantile_cont(latency, 0.5), quantile_cont(latency, 0.99)",
}


def ours(rows):
    output = subprocess.run(
        ["cargo", "bench", "--quiet", "-p", "watershed-query", "--bench", "one_shot"],
        env={**os.environ, "ROWS": str(rows)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {name: float(seconds) for name, seconds in re.findall(r"^(.+): ([\d.]+) s for", output, re.M)}


def theirs(rows):
    database = duckdb.connect()
    database.execute("SET threads = 1")
    database.execute(f"""
        CREATE TABLE http_events AS
        SELECT 'shop/service-' || (n % 50) AS service, '/api/v1/items/' || (n // 64 % 1000) AS req_path,
               CASE WHEN n % 10 = 0 THEN 500 ELSE 200 END AS resp_status, n % 100000007 AS latency
        FROM (SELECT (range * 2654435761) % 4294967296 AS n FROM range({rows}))
    """)
    seconds = {}
    for name, aggregates in QUESTIONS.items():
        times = []
        for _ in range(5):
            start = time.monotonic()
            database.execute(
                f"SELECT service, req_path, {aggregates} FROM http_events WHERE resp_status = 200 GROUP BY ALL"
            ).fetchall()
            times.append(time.monotonic() - start)
        seconds[name] = statistics.median(times)
    return seconds


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    rows = arguments.parse_args().rows
    mine, other = ours(rows), theirs(rows)
    for name in QUESTIONS:
        print(f"{name}: {mine[name]:.3f} s, DuckDB {other[name]:.3f} s, ratio {mine[name] / other[name]:.2f}")


if __name__ == "__main__":
    main()
