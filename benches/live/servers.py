"""Servers that a measurement starts on loopback and ends: each has a process, and all but nginx a `load` of its own."""

import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.environ.get("WATERSHED_CACHE", os.path.expanduser("~/.cache/watershed"))

NGINX = """
user root; daemon off; worker_processes {workers}; pid {directory}/nginx.pid; error_log {directory}/error.log warn;
worker_rlimit_nofile 30000;
events {{ worker_connections 16384; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; default_type text/plain;
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


def output(*command, **options):
    """What a command prints; one that fails ends the measurement."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def quiet(command, **options):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def wait_until(answers):
    while not answers():
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Redis:
    """redis-server under redis-benchmark: SET and GET in turn."""

    table = "redis_events"
    pipeline = 1

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="watershed-bench-")
        self.port = free_port()
        self.process = quiet(
            ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1",
             "--dir", self.directory, "--maxclients", "10100"]
        )
        wait_until(lambda: listens(self.port))
        self.requests = 100_000

    def load(self, seconds):
        before = self.commands()
        text = output(
            "redis-benchmark", "-p", str(self.port), "-c", "50", "-P", str(self.pipeline), "-n", str(self.requests),
            "-t", "set,get", "--csv",
        )
        rates = [float(rate) for rate in re.findall(r'^"(?:SET|GET)","([\d.]+)"', text, re.M)]
        rate = len(rates) / sum(1 / rate for rate in rates)
        # The next run takes as long as it should.
        self.requests = int(rate * seconds / 2)
        # The question itself is counted as well.
        return {"rate": rate, "requests": self.commands() - before - 1}

    def commands(self):
        text = output("redis-cli", "-p", str(self.port), "info", "stats")
        return int(re.search(r"total_commands_processed:(\d+)", text).group(1))

    def stop(self):
        end(self)


class PipelinedRedis(Redis):
    """The same with 16 commands at a time."""

    pipeline = 16


class Echo:
    """A unary gRPC echo in Go: 64 callers over 8 connections."""

    flags = []

    def __init__(self):
        self.binary = f"{CACHE}/bench-echo"
        subprocess.run(["go", "build", "-trimpath", "-o", self.binary, "."], check=True, cwd=f"{HERE}/echo")
        self.process = subprocess.Popen([self.binary, "serve", *self.flags], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def load(self, seconds):
        text = output(self.binary, "load", *self.flags, "-port", str(self.port), "-seconds", str(seconds))
        answered, rate = text.split()
        return {"rate": float(rate), "requests": int(answered)}

    def stop(self):
        self.process.terminate()
        self.process.wait()


class SecureEcho(Echo):
    """The same through Go's own TLS."""

    flags = ["-tls"]


class Postgres:
    """PostgreSQL under `pgbench -S` with 8 clients."""

    def __init__(self):
        folder = max(glob.glob("/usr/lib/postgresql/*/bin"))
        self.directory = tempfile.mkdtemp(prefix="watershed-bench-")
        shutil.chown(self.directory, "postgres", "postgres")
        self.port = free_port()
        data = f"{self.directory}/data"
        user = {"user": "postgres", "group": "postgres", "cwd": self.directory}
        output(f"{folder}/initdb", "-D", data, "-A", "trust", "-N", "--no-instructions", **user)
        # In the foreground; it would stop by SIGTERM only once its clients have gone.
        self.process = quiet(
            [f"{folder}/postgres", "-D", data, "-p", str(self.port), "-k", self.directory, "-c", "fsync=off"], **user
        )
        wait_until(lambda: subprocess.call([f"{folder}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]) == 0)
        self.command = [f"{folder}/pgbench", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres"]
        output(*self.command, "-i", "-q", "-s", "5", "postgres", stderr=subprocess.DEVNULL)

    def load(self, seconds):
        text = output(*self.command, "-S", "-n", "-c", "8", "-j", "1", "-T", str(seconds), "postgres", stderr=subprocess.DEVNULL)
        return {
            "rate": float(re.search(r"tps = ([\d.]+)", text).group(1)),
            "requests": int(re.search(r"actually processed: (\d+)", text).group(1)),
        }

    def stop(self):
        end(self)


class MariaDb:
    """MariaDB under `mysqlslap`: 8 clients that read a row by its key."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="watershed-bench-")
        self.port = free_port()
        place = [f"--datadir={self.directory}/data", "--user=root"]
        output("mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", *place, stderr=subprocess.DEVNULL)
        binary = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        self.process = quiet(
            [binary, "--no-defaults", *place, f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.directory}/socket"]
        )
        wait_until(lambda: listens(self.port))
        self.client = ["-h", "127.0.0.1", "-P", str(self.port), "-u", "root"]
        rows = ",".join(f"({key}, 'value {key}')" for key in range(1000))
        self.run(f"CREATE DATABASE bench; CREATE TABLE bench.t (id INT PRIMARY KEY, v TEXT); INSERT INTO bench.t VALUES {rows}")
        self.requests = 50_000

    def run(self, statements):
        return output("mariadb", "--no-defaults", *self.client, "-N", "-e", statements)

    def load(self, seconds):
        before = self.queries()
        queries = ";".join(f"SELECT v FROM t WHERE id = {key}" for key in range(100))
        text = output(
            "mysqlslap", "--no-defaults", *self.client, "--create-schema=bench", "--no-drop", "--concurrency=8",
            f"--number-of-queries={self.requests}", f"--query={queries}", "--delimiter=;",
        )
        rate = self.requests / float(re.search(r"Average number of seconds to run all queries: ([\d.]+)", text).group(1))
        self.requests = int(rate * seconds)
        return {"rate": rate, "requests": self.queries() - before}

    def queries(self):
        return int(self.run("SHOW GLOBAL STATUS LIKE 'Com_select'").split()[-1])

    def stop(self):
        end(self)


def end(server):
    server.process.terminate()
    server.process.wait()
    shutil.rmtree(server.directory)


BY_PROTOCOL = {
    "redis": Redis, "redis-pipelined": PipelinedRedis, "grpc": Echo, "grpc-tls": SecureEcho, "pgsql": Postgres, "mysql": MariaDb,
}
