#!/usr/bin/env python3
"""The demo's services, a small shop: town.py DIRECTORY [--rate N] [--fault SERVICE FROM TO]

    load -> gateway (nginx) -> orders  -> payments   (fails now and then)
                            -> catalog -> search     (slow)

Everything listens on loopback only, is a child of this process, and ends with it. The ports are free ones that the
system picks; the load is bounded (--rate requests a second, 40 by default). With --fault a service is slow and refuses
half of its requests between two seconds after the start.
"""

import argparse
import ctypes
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = ["gateway", "orders", "payments", "catalog", "search"]
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """A killed parent takes its children along, so that nothing outlives the demo."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def take_name(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def call(port, method, path, body=None):
    """One call to another service: (status, decoded body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    finally:
        connection.close()


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without this the header and the body of an answer wait for each other on loopback.
    wbufsize = -1
    disable_nagle_algorithm = True
    ports = {}
    fault = None

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_call(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = json.loads(self.rfile.read(length)) if length else None
        status, body = self.respond(self.command, self.path, request)
        if self.fault and self.fault[0] <= time.monotonic() < self.fault[1]:
            time.sleep(random.uniform(0.2, 0.3))
            if random.random() < 0.5:
                status, body = 503, {"error": "overloaded"}
        self.answer(status, body)

    do_GET = do_POST = do_DELETE = handle_call


class Orders(Service):
    def respond(self, method, path, request):
        if method == "POST":
            status, receipt = call(self.ports["payments"], "POST", "/charge", {"amount": 42})
            if status != 200:
                return 502, {"error": "payment failed", "cause": receipt}
            return 201, {"order": random.randrange(10_000), "receipt": receipt}
        return 200, {"order": path.rsplit("/", 1)[-1], "state": "shipped"}


class Payments(Service):
    def respond(self, method, path, request):
        time.sleep(random.uniform(0.002, 0.008))
        if random.random() < 0.1:
            return 500, {"error": "card service unavailable"}
        return 200, {"paid": request["amount"]}


class Catalog(Service):
    def respond(self, method, path, request):
        if path.startswith("/catalog/search"):
            _, hits = call(self.ports["search"], "GET", "/find?" + path.partition("?")[2])
            return 200, {"hits": hits}
        if path.endswith("/404"):
            return 404, {"error": "no such item"}
        return 200, {"item": path.rsplit("/", 1)[-1], "price": 42}


class Search(Service):
    def respond(self, method, path, request):
        time.sleep(random.uniform(0.15, 0.45))
        return 200, [random.randrange(1000) for _ in range(5)]


SERVICES = {"orders": Orders, "payments": Payments, "catalog": Catalog, "search": Search}

NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    proxy_http_version 1.1; proxy_set_header Connection "";
    upstream orders {{ server 127.0.0.1:{orders}; keepalive 8; }}
    upstream catalog {{ server 127.0.0.1:{catalog}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{gateway};
        location = /health {{ return 200 "ok\\n"; }}
        location /orders {{ proxy_pass http://orders; }}
        location /catalog {{ proxy_pass http://catalog; }}
    }}
}}
"""


def serve(name, ports, fault):
    take_name(name)
    handler = SERVICES[name]
    handler.ports = ports
    handler.fault = fault
    ThreadingHTTPServer(("127.0.0.1", ports[name]), handler).serve_forever()


def customer(port, pause, number):
    """One customer: a connection that stays open, a request now and then."""
    random.seed(number)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while True:
        time.sleep(random.expovariate(1 / pause))
        method, path, body = random.choices(
            [
                ("GET", f"/catalog/items/{random.randrange(500)}", None),
                ("GET", f"/orders/{random.randrange(10_000)}", None),
                ("POST", "/orders", json.dumps({"item": random.randrange(500)})),
                ("GET", f"/catalog/search?q=boat{random.randrange(50)}", None),
                ("GET", "/catalog/items/404", None),
                ("GET", "/health", None),
            ],
            weights=[40, 25, 20, 8, 2, 5],
        )[0]
        try:
            connection.request(method, path, body=body)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()


def load(port, rate):
    take_name("customers")
    customers = 12
    for number in range(customers):
        threading.Thread(target=customer, args=(port, customers / rate, number), daemon=True).start()
    signal.pause()


def child(role):
    """Forks a child that plays a role; the role never returns."""
    pid = os.fork()
    if pid == 0:
        die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            role()
        finally:
            os._exit(1)
    return pid


def wait_for_port(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"town.py: nothing listens on port {port} after 10 s")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("directory", help="where nginx keeps its files")
    arguments.add_argument("--rate", type=float, default=40, help="requests a second")
    arguments.add_argument("--fault", nargs=3, metavar=("SERVICE", "FROM", "TO"), help="a service that fails for a while")
    options = arguments.parse_args()
    faults = {}
    if options.fault:
        started, (name, *span) = time.monotonic(), options.fault
        if name not in SERVICES:
            arguments.error(f"--fault: {name} is none of {', '.join(SERVICES)}")
        faults[name] = tuple(started + float(second) for second in span)

    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if nginx is None:
        sys.exit("town.py: nginx is missing; install it (Debian: nginx-light)")
    take_name("town")
    die_with_parent()
    ports = dict(zip(NAMES, free_ports(len(NAMES))))
    children = [child(lambda name=name: serve(name, ports, faults.get(name))) for name in SERVICES]
    configuration = os.path.join(options.directory, "nginx.conf")
    with open(configuration, "w") as file:
        file.write("user root;" * (os.getuid() == 0) + NGINX.format(directory=options.directory, **ports))
    gateway = subprocess.Popen(
        [nginx, "-c", configuration, "-e", f"{options.directory}/nginx.log"], preexec_fn=die_with_parent
    )
    children.append(gateway.pid)
    for port in ports.values():
        wait_for_port(port)
    children.append(child(lambda: load(ports["gateway"], options.rate)))
    print(json.dumps(ports), flush=True)

    def stop(*_):
        for pid in reversed(children):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    os.wait()
    print("town.py: a service ended; stopping the rest", file=sys.stderr)
    stop()


if __name__ == "__main__":
    main()
