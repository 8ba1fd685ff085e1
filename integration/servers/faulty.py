#!/usr/bin/env python3
"""Services that can be broken on command, and steady load on them: faulty.py [--services N] [--rate R] [--seed S]

Each service is a process: an HTTP server with the endpoints /checkout, /search, /feed and /items that asks a database
(PostgreSQL's protocol) and a name server. Everything listens on loopback and ends with its parent. A line of standard
input, `SERVICE KIND SEVERITY`, breaks a service or, with severity 0, heals it:

    errors      share of the requests for /checkout that fail
    latency     factor of the time that /search takes
    loss        share of the requests for /feed that are no longer sent
    n_plus_one  statements for each request for /items
    dns         share of the questions that the name server refuses
    load        factor of the requests and questions that are sent

Standard output is a line when all runs: the names of the services as JSON. R is requests a second and endpoint.
"""

import argparse
import ctypes
import http.client
import json
import mmap
import os
import random
import signal
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = ["errors", "latency", "loss", "n_plus_one", "dns", "load"]
ENDPOINTS = ["/checkout", "/search", "/feed", "/items"]
PR_SET_PDEATHSIG = 1
STARTUP_ANSWER = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"
QUERY_ANSWER = b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"


class Faults:
    """Severities by service and kind, shared by all processes."""

    def __init__(self, services):
        self.memory = mmap.mmap(-1, 8 * len(KINDS) * services)

    def place(self, service, kind):
        return 8 * (service * len(KINDS) + KINDS.index(kind))

    def get(self, service, kind):
        return struct.unpack_from("d", self.memory, self.place(service, kind))[0]

    def put(self, service, kind, severity):
        struct.pack_into("d", self.memory, self.place(service, kind), severity)

    def pause(self, service, rate):
        """Seconds until the next request."""
        return random.expovariate(rate * max(self.get(service, "load"), 1))


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) != count:
        raise ConnectionError("closed")
    return data


def serve_database(listener):
    def session(connection):
        with connection, connection.makefile("rb") as stream:
            read_exactly(stream, struct.unpack("!I", read_exactly(stream, 4))[0] - 4)
            connection.sendall(STARTUP_ANSWER)
            while True:
                _, length = struct.unpack("!cI", read_exactly(stream, 5))
                read_exactly(stream, length - 4)
                connection.sendall(QUERY_ANSWER)

    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=quietly, args=(session, connection), daemon=True).start()


def quietly(role, *arguments):
    try:
        role(*arguments)
    except OSError:
        pass


class Database:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.connection.makefile("rb")
        parameters = b"user\0shop\0database\0shop\0\0"
        self.connection.sendall(struct.pack("!II", 8 + len(parameters), 196608) + parameters)
        read_exactly(self.stream, len(STARTUP_ANSWER))

    def query(self, text):
        text = text.encode() + b"\0"
        self.connection.sendall(struct.pack("!cI", b"Q", 4 + len(text)) + text)
        read_exactly(self.stream, len(QUERY_ANSWER))


def serve_names(endpoint, faults):
    """The question's name tells the service, whose fault tells the answer."""
    while True:
        question, peer = endpoint.recvfrom(512)
        service = int(question[13 : 13 + question[12]].decode().removeprefix("host"))
        refused = random.random() < faults.get(service, "dns")
        header = question[:2] + struct.pack("!HHHHH", 0x8182 if refused else 0x8180, 1, not refused, 0, 0)
        record = b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, b"\x7f\0\0\1")
        endpoint.sendto(header + question[12:] + (b"" if refused else record), peer)


def ask_names(service, port, faults, rate):
    name = f"host{service}".encode()
    question = bytes([len(name)]) + name + b"\x08internal\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.connect(("127.0.0.1", port))
        endpoint.settimeout(2)
        while True:
            time.sleep(faults.pause(service, rate))
            endpoint.send(struct.pack("!HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0) + question)
            quietly(endpoint.recv, 512)


class Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, *_):
        """A visitor that goes is no error."""


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this the header and the body of an answer wait for each other on loopback.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.database = None

    def do_GET(self):
        severity = lambda kind: self.faults.get(self.service, kind)
        status, pause = 200, random.gammavariate(9, self.pause / 9)
        if self.path == "/checkout" and random.random() < max(severity("errors"), 0.005):
            status = 500
        elif self.path == "/search":
            pause *= max(severity("latency"), 1)
        elif self.path == "/items":
            self.database = self.database or Database(self.database_port)
            for number in range(int(max(severity("n_plus_one"), 1))):
                self.database.query(f"SELECT price FROM items WHERE id = {number}")
        time.sleep(pause)
        body = b'{"ok": true}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve_shop(listener, service, faults, ports, rate):
    take_name(f"shop{service}")
    Shop.service, Shop.faults, Shop.database_port = service, faults, ports["database"]
    Shop.pause = random.uniform(0.002, 0.03)
    threading.Thread(target=ask_names, args=(service, ports["names"], faults, rate), daemon=True).start()
    server = Server(("127.0.0.1", 0), Shop, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


def visit(port, service, path, faults, rate):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while True:
        time.sleep(faults.pause(service, rate))
        if path == "/feed" and random.random() < faults.get(service, "loss"):
            continue
        try:
            connection.request("GET", path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()


def load(ports, faults, rate):
    take_name("visitors")
    for service, port in enumerate(ports):
        for path in ENDPOINTS:
            own = rate * random.uniform(0.7, 1.5)
            threading.Thread(target=visit, args=(port, service, path, faults, own), daemon=True).start()
    signal.pause()


def take_name(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)


def child(number, role):
    """Forks a child that plays a role and ends with its parent."""
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        random.seed(number)
        try:
            role()
        finally:
            os._exit(1)


def backend(database, names, faults):
    take_name("backend")
    threading.Thread(target=serve_names, args=(names, faults), daemon=True).start()
    serve_database(database)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--services", type=int, default=1)
    arguments.add_argument("--rate", type=float, default=4, help="requests a second and endpoint")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    faults = Faults(options.services)
    database = socket.create_server(("127.0.0.1", 0))
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 0))
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=64) for _ in range(options.services)]
    ports = {"database": database.getsockname()[1], "names": names.getsockname()[1]}
    first = options.seed * 1000
    child(first, lambda: backend(database, names, faults))
    for service, listener in enumerate(listeners):
        role = lambda service=service, listener=listener: serve_shop(listener, service, faults, ports, options.rate)
        child(first + 1 + service, role)
    child(first + 999, lambda: load([listener.getsockname()[1] for listener in listeners], faults, options.rate))
    print(json.dumps([f"shop{service}" for service in range(options.services)]), flush=True)
    for line in sys.stdin:
        service, kind, severity = line.split()
        faults.put(int(service), kind, float(severity))


if __name__ == "__main__":
    main()
