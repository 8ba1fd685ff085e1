#!/usr/bin/env python3
"""One-shot questions over ten million exchanges, ours against DuckDB on the same rows: one_shot.py [--rows N]

Both use one thread and hold the rows in memory, and are asked in turns; of all runs the fastest counts, since others may
use the machine, too. DuckDB has the service as a column; ours finds it by the process.
Needs cargo and the Python package duckdb.
"""

import argparse
import os
import re
import subprocess
import time

import duckdb

TURNS = 3
QUESTIONS = {
    "count, avg, max": "count(*), avg(latency), max(latency)",
    "count, p50, p99": "count(*), quantile_cont(latency, 0.5), quantile_cont(latency, 0.99)",
}


def ours(rows):
    output = subprocess.run(
        ["cargo", "bench", "--quiet", "-p", "watershed", "-p", "watershed-query", "--bench", "one_shot"],
        env={**os.environ, "ROWS": str(rows)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {name: float(seconds) for name, seconds in re.findall(r"^(.+): ([\d.]+) s for", output, re.M)}


def table(rows):
    database = duckdb.connect()
    database.execute("SET threads = 1")
    database.execute(f"""
        CREATE TABLE http_events AS
        SELECT 'shop/service-' || (n % 50) AS service, '/api/v1/items/' || (n // 64 % 1000) AS req_path,
               CASE WHEN n % 10 = 0 THEN 500 ELSE 200 END AS resp_status, n % 100000007 AS latency
        FROM (SELECT (range * 2654435761) % 4294967296 AS n FROM range({rows}))
    """)
    return database


def theirs(database):
    seconds = {}
    for name, aggregates in QUESTIONS.items():
        times = []
        for _ in range(5):
            start = time.monotonic()
            # The answer stays in DuckDB: making objects of Python out of it is not its work.
            database.execute(f"""
                CREATE OR REPLACE TEMP TABLE answer AS
                SELECT service, req_path, {aggregates} FROM http_events WHERE resp_status = 200 GROUP BY ALL
            """)
            times.append(time.monotonic() - start)
        seconds[name] = min(times)
    return seconds


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    rows = arguments.parse_args().rows
    database = table(rows)
    turns = [(ours(rows), theirs(database)) for _ in range(TURNS)]
    for name in QUESTIONS:
        mine, other = (min(turn[whose][name] for turn in turns) for whose in (0, 1))
        print(f"{name}: {mine:.3f} s, DuckDB {other:.3f} s, ratio {mine / other:.2f}")


if __name__ == "__main__":
    main()
